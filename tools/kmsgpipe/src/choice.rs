// SPDX-License-Identifier: MIT OR Apache-2.0

//! Settings that are one of several words.

/// Defines an enum of which each value has a number, that of the kernel's header, and a word, that of sysfs.
///
/// The text form is the word. `FromStr` is implemented beside its error type, in `error`.
macro_rules! choice {
    ($(#[$about:meta])* pub enum $name:ident {
        $($(#[$about_value:meta])* $value:ident = $number:path => $word:literal,)+
    }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$about_value])* $value,)+
        }

        impl $name {
            /// All values, in the order of their numbers.
            pub const ALL: [Self; [$($number),+].len()] = [$(Self::$value),+];

            /// Returns the word for the value.
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$value => $word,)+
                }
            }

            /// Returns the number of the value in the kernel's header.
            pub(crate) fn number(self) -> u32 {
                match self {
                    $(Self::$value => $number,)+
                }
            }

            /// Parses the word for a value.
            pub(crate) fn parse_word(text: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|value| value.word() == text)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.word())
            }
        }

        #[cfg(feature = "serde")]
        impl serde::Serialize for $name {
            /// Serializes the text form.
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.word())
            }
        }
    };
}

pub(crate) use choice;
