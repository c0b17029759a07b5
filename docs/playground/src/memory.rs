//! The border of the module. A caller puts a JSON text into memory from [`alloc`], calls a function with its place, and
//! gets the place of the answer: the address in the upper 32 bits, the length in the lower ones. Both texts are the
//! caller's to [`free`].
//!
//! The names are exported in WebAssembly only: elsewhere `free` would take the place of the system's own.
#![expect(unsafe_code, reason = "exported names, and texts that come and go as addresses")]

use crate::tools;

/// Room for `length` bytes.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn alloc(length: usize) -> *mut u8 {
    Box::into_raw(vec![0u8; length].into_boxed_slice()).cast()
}

/// Gives back what [`alloc`] or a function gave.
///
/// # Safety
/// `at` and `length` are exactly what was given out, and given back once.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub unsafe extern "C" fn free(at: *mut u8, length: usize) {
    // SAFETY: the caller hands back a box of this length, as promised above.
    drop(unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(at, length)) });
}

/// # Safety
/// `length` bytes at `at` came from [`alloc`] and were written.
unsafe fn answer(at: *const u8, length: usize, work: fn(&str) -> String) -> u64 {
    // SAFETY: as promised above.
    let bytes = unsafe { std::slice::from_raw_parts(at, length) };
    let text = work(&String::from_utf8_lossy(bytes)).into_bytes().into_boxed_slice();
    let length = text.len() as u64;
    (Box::into_raw(text).cast::<u8>() as u64) << 32 | length
}

/// Declares one exported function for each of `tools`.
macro_rules! exports {
    ($($(#[doc = $doc:literal])* $name:ident,)*) => {
        $(
            $(#[doc = $doc])*
            ///
            /// # Safety
            /// `length` bytes at `at` came from [`alloc`] and were written.
            #[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
            pub unsafe extern "C" fn $name(at: *const u8, length: usize) -> u64 {
                // SAFETY: as the caller promises.
                unsafe { answer(at, length, tools::$name) }
            }
        )*
    };
}

exports! {
    /// [`tools::check`]
    check,
    /// [`tools::format`]
    format,
    /// [`tools::graph`]
    graph,
    /// [`tools::run`]
    run,
    /// [`tools::examples`]
    examples,
}
