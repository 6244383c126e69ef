//! Tests of the codecs.

mod properties;
mod tables;
