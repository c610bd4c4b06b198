//! From a layer to its root.

use std::collections::BTreeSet;

use hyperlayer::LayerId;

use crate::layer::Stored;
use crate::names::Series;

/// Why a layer cannot be restored by what a listing holds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// The layer asked for is not there.
    #[error("{series} has no layer {layer}")]
    NoLayer {
        /// The series.
        series: Series,
        /// The layer.
        layer: LayerId,
    },
    /// One that others are applied on is not there.
    #[error("layer {child} of {series} needs layer {missing}, which is not in the store")]
    Missing {
        /// The series.
        series: Series,
        /// The one that needs it.
        child: LayerId,
        /// The one that is not there.
        missing: LayerId,
    },
    /// Layers name each other as parents, so none of them is a beginning.
    #[error("the layers of {series} go round in a circle at {layer}")]
    Circle {
        /// The series.
        series: Series,
        /// The first that was met twice.
        layer: LayerId,
    },
}

/// The layers from `layer` down to the full one, newest first.
pub(crate) fn chain<'a>(
    series: &Series,
    layer: &LayerId,
    find: impl Fn(&LayerId) -> Option<&'a Stored>,
) -> Result<Vec<&'a Stored>, ChainError> {
    let none = || ChainError::NoLayer { series: series.clone(), layer: layer.clone() };
    let mut chain = vec![find(layer).ok_or_else(none)?];
    let mut seen = BTreeSet::from([layer]);
    while let Some((child, parent)) = chain.last().and_then(|s| Some((&s.layer.layer, s.layer.parent.as_ref()?))) {
        if !seen.insert(parent) {
            return Err(ChainError::Circle { series: series.clone(), layer: parent.clone() });
        }
        let missing = || ChainError::Missing { series: series.clone(), child: child.clone(), missing: parent.clone() };
        chain.push(find(parent).ok_or_else(missing)?);
    }
    Ok(chain)
}
