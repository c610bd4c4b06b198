//! What a list of items must not hold.

/// A list that nothing can be decided about: what it says of an item may be meant of another, or of none.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error<Id> {
    /// Two items have the same id, so one decision could remove the other's item.
    #[error("expected each item once, found `{id}` again")]
    Repeated {
        /// The id of both.
        id: Id,
    },
    /// An item is its own parent, or its parent's parent, and so on: none of them can ever be restored.
    #[error("expected parents that lead to an item without one, found that those of `{id}` lead back to it")]
    Circular {
        /// One of the items concerned.
        id: Id,
    },
}
