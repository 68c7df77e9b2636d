//! The C functions and nothing else: check the pointers, look up the handle, call, translate.
//!
//! Every function goes through `export!`, which is the only place that gives a function a C name. So none can do without the
//! fork check, the panic boundary and, where its first argument is a handle, the look-up.
//! The header is made from these files: doc comments here are written for C programmers.

mod boundary;
pub mod calls;
pub mod labview;
pub mod look;
pub mod regions;

pub use calls::{rheed_log_callback, rheed_source};

/// A handle to a stream: a checked number, never a pointer. Between 2^32 and 2^53, so that neither an int nor a double
/// mangles it unseen; 0 is none. Any call with a handle that is not open answers RHEED_E_HANDLE.
#[allow(non_camel_case_types)]
pub type rheed_stream = u64;

/// Gives functions their C names. A first argument of type `rheed_stream` arrives in the body as the open session. What stands
/// behind `first` is done before anything else; what stands behind `else`, when the handle is not open.
macro_rules! export {
    () => {};
    (
        $(#[$note:meta])*
        fn $name:ident($stream:ident: rheed_stream $(, $argument:ident: $kind:ty)* $(,)?) -> i32
        $(first $first:block)? $body:block else $otherwise:block
        $($rest:tt)*
    ) => {
        $(#[$note])*
        #[unsafe(no_mangle)]
        pub extern "C" fn $name($stream: $crate::abi::rheed_stream $(, $argument: $kind)*) -> i32 {
            $($first)?
            $crate::abi::boundary::on_stream($stream, |$stream| $body, || $otherwise)
        }
        $crate::abi::export!($($rest)*);
    };
    (
        $(#[$note:meta])*
        fn $name:ident($stream:ident: rheed_stream $(, $argument:ident: $kind:ty)* $(,)?) -> i32
        $(first $first:block)? $body:block
        $($rest:tt)*
    ) => {
        $crate::abi::export! {
            $(#[$note])*
            fn $name($stream: rheed_stream $(, $argument: $kind)*) -> i32
            $(first $first)? $body else { Err($crate::engine::not_open()) }
        }
        $crate::abi::export!($($rest)*);
    };
    (
        $(#[$note:meta])*
        fn $name:ident($($argument:ident: $kind:ty),* $(,)?) -> i32 $body:block
        $($rest:tt)*
    ) => {
        $(#[$note])*
        #[unsafe(no_mangle)]
        pub extern "C" fn $name($($argument: $kind),*) -> i32 {
            $crate::abi::boundary::enter(|| $body)
        }
        $crate::abi::export!($($rest)*);
    };
    // Answers that cannot fail: static texts and numbers, also in a forked child.
    (
        $(#[$note:meta])*
        const fn $name:ident($($argument:ident: $kind:ty),* $(,)?) -> $answer:ty $body:block
        $($rest:tt)*
    ) => {
        $(#[$note])*
        #[unsafe(no_mangle)]
        pub extern "C" fn $name($($argument: $kind),*) -> $answer $body
        $crate::abi::export!($($rest)*);
    };
}
pub(crate) use export;
