// SPDX-License-Identifier: GPL-2.0

//! Module parameters for file permissions in octal.
//!
//! C header: [`include/linux/moduleparam.h`](srctree/include/linux/moduleparam.h).
//!
//! The parameters of [`module!`](kernel::module) are integers, which are decimal unless they begin
//! with a zero: `mode=444` would be 0674.

use core::slice;
use kernel::{
    bindings,
    fmt::Write,
    prelude::*,
    str::{
        as_char_ptr_in_const_context,
        Formatter, //
    },
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
};

use crate::kernel_ext::{
    compat,
    text::number, //
};

/// All permission bits.
const PERMISSIONS: u32 = 0o777;

/// Maximum number of bytes that [`get`] writes.
const SHOWN: usize = "0777\n".len();

/// File permissions, set when the module is loaded.
///
/// # Examples
///
/// ```ignore
/// use crate::kernel_ext::dev::param::mode_parameter;
///
/// mode_parameter! { "counter", mode: 0o600, "Permissions of the node (octal, default 0600)" }
///
/// // 0o640 if the module was loaded with `mode=640`, and 0o600 without the parameter.
/// let permissions: u16 = mode.get();
/// ```
pub(crate) struct ModeParam(Atomic<u32>);

impl ModeParam {
    /// Makes a parameter with the value `default`.
    pub(crate) const fn new(default: u16) -> Self {
        Self(Atomic::new(default as u32))
    }

    /// Returns the given permissions, or the default.
    pub(crate) fn get(&self) -> u16 {
        // CAST: Permissions fit into nine bits.
        self.0.load(Relaxed) as u16
    }
}

/// A `struct kernel_param`, to be placed in the section `__param`, where the kernel finds it.
#[repr(transparent)]
pub(crate) struct Entry(bindings::kernel_param);

// SAFETY: It never changes. The data that it points to is static and `Sync`.
unsafe impl Sync for Entry {}

impl Entry {
    /// Operations of a parameter of this type.
    const OPS: &'static bindings::kernel_param_ops = &bindings::kernel_param_ops {
        flags: 0,
        set: Some(set),
        get: Some(get),
        free: None,
    };

    /// Makes the entry of `param`, which all users may read in `/sys/module`.
    pub(crate) const fn new(name: &'static CStr, param: &'static ModeParam) -> Self {
        Self(bindings::kernel_param {
            name: as_char_ptr_in_const_context(name),
            mod_: compat::this_module().as_ptr(),
            ops: Self::OPS,
            perm: 0o444,
            level: -1,
            flags: 0,
            __bindgen_anon_1: bindings::kernel_param__bindgen_ty_1 {
                arg: core::ptr::from_ref(param).cast_mut().cast(),
            },
        })
    }
}

/// Returns the `N` bytes of `text`.
pub(crate) const fn bytes<const N: usize>(text: &str) -> [u8; N] {
    match text.as_bytes().first_chunk() {
        Some(bytes) => *bytes,
        None => [0; N],
    }
}

/// Parses permissions in octal.
fn parse(text: &[u8]) -> Option<u32> {
    number(text, 8).filter(|mode| *mode <= PERMISSIONS)
}

/// # Safety
///
/// `text` must be null or a C string, and `param` must be an [`Entry`].
unsafe extern "C" fn set(text: *const c_char, param: *const bindings::kernel_param) -> c_int {
    if text.is_null() {
        return EINVAL.to_errno();
    }
    // SAFETY: By the safety requirements `text` is a C string, as it is not null, and `param` is an
    // entry. An entry has a name, and its `arg` is a static `ModeParam`.
    let (text, name, value) = unsafe {
        (
            CStr::from_char_ptr(text),
            CStr::from_char_ptr((*param).name),
            &*(*param).__bindgen_anon_1.arg.cast::<ModeParam>(),
        )
    };
    match parse(text.to_bytes()) {
        Some(mode) => {
            value.0.store(mode, Relaxed);
            0
        }
        None => {
            pr_err!("{name}={text}: must be octal, 0 to 0777\n");
            EINVAL.to_errno()
        }
    }
}

/// # Safety
///
/// `buffer` must have [`SHOWN`] initialised bytes, and `param` must be an [`Entry`].
unsafe extern "C" fn get(buffer: *mut c_char, param: *const bindings::kernel_param) -> c_int {
    // SAFETY: By the safety requirements `param` is an entry, whose `arg` is a static `ModeParam`.
    let value = unsafe { &*(*param).__bindgen_anon_1.arg.cast::<ModeParam>() };
    // SAFETY: By the safety requirements `buffer` has `SHOWN` bytes, in a page that sysfs has
    // zeroed.
    let place = unsafe { slice::from_raw_parts_mut(buffer.cast::<u8>(), SHOWN) };
    let mut formatter = Formatter::new(place);
    match writeln!(formatter, "{:04o}", value.get()) {
        // CAST: At most `SHOWN` bytes were written.
        Ok(()) => formatter.bytes_written() as c_int,
        Err(_) => EIO.to_errno(),
    }
}

/// Defines the parameter `$name` of the module `$module`: permissions in octal, `$default` unless
/// set when the module is loaded.
macro_rules! mode_parameter {
    ($module:literal, $name:ident: $default:literal, $description:literal) => {
        #[doc = $description]
        #[allow(non_upper_case_globals, reason = "its name is that of the parameter")]
        static $name: $crate::kernel_ext::dev::param::ModeParam =
            $crate::kernel_ext::dev::param::ModeParam::new($default);

        #[allow(
            unsafe_code,
            reason = "the sections that hold parameters are unsafe attributes"
        )]
        const _: () = {
            use $crate::kernel_ext::dev::param::{
                bytes,
                Entry, //
            };

            /// Prefixes the name of a parameter with the module name if the module is built in.
            #[cfg(MODULE)]
            macro_rules! prefixed {
                ($text:expr) => {
                    $text
                };
            }
            #[cfg(not(MODULE))]
            macro_rules! prefixed {
                ($text:expr) => {
                    concat!($module, ".", $text)
                };
            }

            const NAME: &::kernel::str::CStr = match ::core::ffi::CStr::from_bytes_with_nul(
                prefixed!(concat!(stringify!($name), "\0")).as_bytes(),
            ) {
                Ok(name) => name,
                Err(_) => panic!("a name with a zero in it"),
            };
            const TYPE: &str = prefixed!(concat!("parmtype=", stringify!($name), ":octal\0"));
            const TEXT: &str =
                prefixed!(concat!("parm=", stringify!($name), ":", $description, "\0"));

            #[link_section = "__param"]
            #[used(compiler)]
            static ENTRY: Entry = Entry::new(NAME, &$name);
            #[link_section = ".modinfo"]
            #[used(compiler)]
            static MODINFO_TYPE: [u8; TYPE.len()] = bytes(TYPE);
            #[link_section = ".modinfo"]
            #[used(compiler)]
            static MODINFO_TEXT: [u8; TEXT.len()] = bytes(TEXT);
        };
    };
}
pub(crate) use mode_parameter;

#[kernel::macros::kunit_tests(kmsgpipe_param)]
mod tests {
    use super::*;

    #[test]
    fn permissions_are_octal() {
        for (text, mode) in [
            (&b"0"[..], Some(0)),
            (b"444", Some(0o444)),
            (b"0644", Some(0o644)),
            (b"0000777", Some(0o777)),
            (b"", None),
            (b"1000", None),
            (b"40000000000", None),
            (b"0888", None),
            (b"0o644", None),
            (b"0x1ff", None),
            (b"+644", None),
            (b"-1", None),
            (b" 644", None),
            (b"644\n", None),
            (b"u=rw", None),
            (b"\xff", None),
        ] {
            assert_eq!(parse(text), mode);
        }
    }
}
