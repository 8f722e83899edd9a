// SPDX-License-Identifier: GPL-2.0

//! Sets of flags.

/// Defines a type of flags, and a type of sets of them.
#[macro_export]
macro_rules! impl_flags {
    (
        $(#[$of_set:meta])*
        $set_vis:vis struct $set:ident($ty:ty);

        $(#[$of_flag:meta])*
        $flag_vis:vis enum $flag:ident {
            $($(#[$of_name:meta])* $name:ident = $value:expr),+ $(,)?
        }
    ) => {
        $(#[$of_set])*
        $set_vis struct $set($ty);

        $(#[$of_flag])*
        #[repr($ty)]
        $flag_vis enum $flag {
            $($(#[$of_name])* $name = $value),+
        }

        impl From<$flag> for $set {
            fn from(flag: $flag) -> Self {
                Self(flag as $ty)
            }
        }

        impl<T: Into<$set>> core::ops::BitOr<T> for $set {
            type Output = $set;

            fn bitor(self, other: T) -> $set {
                $set(self.0 | other.into().0)
            }
        }

        impl core::ops::BitOr for $flag {
            type Output = $set;

            fn bitor(self, other: $flag) -> $set {
                $set::from(self) | other
            }
        }

        impl core::ops::BitOrAssign<$flag> for $set {
            fn bitor_assign(&mut self, flag: $flag) {
                *self = *self | flag;
            }
        }

        impl core::ops::BitAndAssign for $set {
            fn bitand_assign(&mut self, other: $set) {
                self.0 &= other.0;
            }
        }

        impl core::ops::Not for $flag {
            type Output = $set;

            fn not(self) -> $set {
                $set(!(self as $ty))
            }
        }

        impl $set {
            /// Returns whether a flag is in the set.
            pub fn contains(self, flag: $flag) -> bool {
                self.contains_any(flag.into())
            }

            /// Returns whether any of `flags` is in the set.
            pub fn contains_any(self, flags: $set) -> bool {
                self.0 & flags.0 != 0
            }
        }
    };
}
