//! Closed vocabularies: enums whose every value has one fixed spelling.
//!
//! The spelling in the source is the one in protocol files, requests, answers and tables, so it
//! is written once. Reading a word outside the list is an error that tells the list, and never
//! repeats the word: a request's text may hold what must not be logged.

/// Declares an enum with its spellings, `ALL`, `as_str`, `parse`, `Display`, `Serialize` and the
/// reading of a field of a document.
#[macro_export]
macro_rules! vocabulary {
    ($(#[$meta:meta])* $vis:vis enum $name:ident { $($(#[$note:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        $vis enum $name { $($(#[$note])* $variant),+ }

        impl $name {
            /// Every value, in the order of its declaration.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// The one spelling of this value.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text),+ }
            }

            /// The value with this spelling.
            pub fn parse(text: &str) -> Option<$name> {
                match text { $($text => Some($name::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
                $name::parse(&text).ok_or_else(|| serde::de::Error::custom(concat!("not a known ", stringify!($name))))
            }
        }

        impl $crate::document::Field for $name {
            fn read(value: &serde_json::Value) -> Result<Self, String> {
                value.as_str().and_then($name::parse).ok_or_else(|| {
                    format!("must be one of {}", [$($text),+].join(", "))
                })
            }
        }
    };
}
