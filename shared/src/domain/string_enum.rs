//! Enums whose values have names.

/// Declares an enum with the name of each value, which is the same in JSON, in the tables and in logs. strum derives
/// as much but for serde's names, so that each name, or its rule, would be written twice.
macro_rules! string_enum {
    (
        $(#[$about:meta])*
        pub enum $type:ident {
            $($(#[$what:meta])* $value:ident = $name:literal,)*
        }
    ) => {
        $(#[$about])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash,
            ::serde::Serialize, ::serde::Deserialize, ::schemars::JsonSchema,
        )]
        pub enum $type {
            $($(#[$what])* #[serde(rename = $name)] $value,)*
        }

        impl $type {
            /// Every value, in the order of their declaration.
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$value),*];

            /// The name of the value.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$value => $name,)*
                }
            }

            /// The value of that name.
            pub fn parse(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$value),)*
                    _ => None,
                }
            }
        }
    };
}

pub(crate) use string_enum;
