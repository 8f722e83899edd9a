// SPDX-License-Identifier: GPL-2.0

//! In-place initialisation, which on the host is that of an ordinary value.

/// Makes a value of its fields, in order. The value of a field may refer to the fields before it.
///
/// `field <- initialiser` and `field: value` mean the same.
#[macro_export]
macro_rules! pin_init {
    (@ $type:ident [$($bindings:tt)*] [$($names:ident)*]) => {{
        $($bindings)*
        $type { $($names),* }
    }};
    (@ $type:ident [$($bindings:tt)*] [$($names:ident)*]
        $name:ident <- $value:expr $(, $($rest:tt)*)?
    ) => {
        $crate::pin_init!(@ $type [$($bindings)* let $name = $value;] [$($names)* $name]
            $($($rest)*)?)
    };
    (@ $type:ident [$($bindings:tt)*] [$($names:ident)*]
        $name:ident: $value:expr $(, $($rest:tt)*)?
    ) => {
        $crate::pin_init!(@ $type [$($bindings)* let $name = $value;] [$($names)* $name]
            $($($rest)*)?)
    };
    (@ $type:ident [$($bindings:tt)*] [$($names:ident)*] $name:ident $(, $($rest:tt)*)?) => {
        $crate::pin_init!(@ $type [$($bindings)*] [$($names)* $name] $($($rest)*)?)
    };
    ($type:ident { $($fields:tt)* }) => {
        $crate::pin_init!(@ $type [] [] $($fields)*)
    };
}
