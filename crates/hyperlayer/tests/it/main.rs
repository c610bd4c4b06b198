//! The format from outside.

mod corpus;
mod dialects;
mod encoder;
mod golden;
mod limits;
mod prop;
mod streams;
mod truncation;
