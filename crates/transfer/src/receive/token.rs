//! What a receiver tells a sender that is to send only the rest of a layer.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use extents::Bytes;
use hyperlayer::{Header, LayerId, Outline, Resumes};
use serde::{Deserialize, Serialize};

use super::text;
use crate::Plan;

/// What a receiver tells a sender that is to send only the rest of a layer. As text it is one word of letters, digits,
/// `-` and `_`, with a check of itself; what is in it is no secret, and nobody's business.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResumeToken {
    /// The layer.
    #[serde(with = "text")]
    pub layer: LayerId,
    /// The layer that it was made against; `None` for a full one, or where nobody knows.
    #[serde(with = "text::option")]
    pub parent: Option<LayerId>,
    /// The size of its volume.
    #[serde(rename = "size_bytes", with = "text::bytes")]
    pub size: Bytes,
    /// Where the rest begins.
    #[serde(rename = "at_bytes", with = "text::bytes")]
    pub at: Bytes,
    /// Where the records before that lie.
    #[serde(with = "text")]
    pub outline: Outline,
}

/// What every token begins with: the name and its version.
const PREFIX: &str = "hl1-";

impl ResumeToken {
    /// Checks that what is about to be sent is the layer that the receiver has a part of: the layer of this header, with
    /// these records before the place. Gives what the header of the rest says of it.
    ///
    /// # Errors
    /// It is another layer, or another way to send it.
    pub fn resumes(&self, header: &Header, skipped: hyperlayer::Digest) -> Result<Resumes, TokenError> {
        let other = |what| Err(TokenError::Other { what, layer: self.layer.clone() });
        if header.layer.as_ref() != Some(&self.layer) {
            return other("is of another layer");
        }
        if header.parent != self.parent {
            return other("was made against another parent");
        }
        if header.volume_size != Some(self.size) {
            return other("is of a volume of another size");
        }
        if skipped != self.outline.digest() {
            return other("holds other ranges up to the place where the receiver was interrupted");
        }
        Ok(Resumes { at: self.at, skipped })
    }
}

impl ResumeToken {
    /// What is left to send of the layer of this header and plan, as the receiver with this token takes it.
    ///
    /// # Errors
    /// As [`resumes`](Self::resumes).
    pub fn rest(&self, header: Header, plan: &Plan) -> Result<(Header, Plan), TokenError> {
        let resumes = self.resumes(&header, plan.outline_until(self.at))?;
        let plan = plan.from_offset(self.at);
        Ok((Header { resumes: Some(resumes), totals: Some(plan.totals()), ..header }, plan))
    }
}

impl fmt::Display for ResumeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = serde_json::to_vec(self).map_err(|_| fmt::Error)?;
        bytes.extend(&blake3::hash(&bytes).as_bytes()[..CHECK_BYTES]);
        write!(f, "{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }
}

const CHECK_BYTES: usize = 8;
/// Far more than any token has, so that a text is refused before it is decoded.
const MAX_BYTES: usize = 4096;

impl FromStr for ResumeToken {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let text = text.trim();
        let Some(encoded) = text.strip_prefix(PREFIX) else { return Err(TokenError::NoToken { prefix: PREFIX }) };
        if encoded.len() > MAX_BYTES {
            return Err(TokenError::Damaged);
        }
        let bytes = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| TokenError::Damaged)?;
        let (body, check) = bytes.split_last_chunk::<CHECK_BYTES>().ok_or(TokenError::Damaged)?;
        if blake3::hash(body).as_bytes()[..CHECK_BYTES] != check[..] {
            return Err(TokenError::Damaged);
        }
        serde_json::from_slice(body).map_err(|_| TokenError::Damaged)
    }
}

/// Why a text is no token, or not the one for a layer.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Something else.
    #[error("a token begins with `{prefix}`")]
    NoToken {
        /// With what.
        prefix: &'static str,
    },
    /// A part of it is missing, or altered.
    #[error("the token is damaged: a part of it is missing or altered")]
    Damaged,
    /// For something else than is to be sent.
    #[error("the token asks for the rest of layer {layer}, and what would be sent {what}")]
    Other {
        /// The layer that the receiver waits for.
        layer: LayerId,
        /// What is wrong.
        what: &'static str,
    },
}
