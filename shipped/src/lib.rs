//! The C library as it is shipped: nothing but what it is made of, put together by a crate that is optimized for speed.
//!
//! Whole programs are optimized as their last crate is. Were that for size, no crate in it would have its loops vectorized.

pub use rheed_stream;
