//! Closed sets of named values: the vocabulary of protocols.

/// A closed set of values, each with a stable id and a description that names its source.
pub trait Choice: Copy + Sized + 'static {
    /// What the set is called in messages: `quantiser`.
    const NAME: &'static str;
    /// Every value, the default first.
    const ALL: &'static [Self];

    /// Stable kebab-case id, as written in plans, records and on the command line.
    fn id(self) -> &'static str;

    /// What the value means, with its constants and its source.
    fn describe(self) -> &'static str;
}

/// A text names no value of a [`Choice`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is no {set}; it is one of {}", known.join(", "))]
pub struct UnknownChoice {
    /// The set that was asked.
    pub set: &'static str,
    /// What was given.
    pub found: String,
    /// Every id of the set.
    pub known: Vec<&'static str>,
}

impl UnknownChoice {
    /// That `found` is no id of the set `C`.
    #[must_use]
    pub fn new<C: Choice>(found: &str) -> Self {
        Self {
            set: C::NAME,
            found: found.to_owned(),
            known: C::ALL.iter().map(|choice| choice.id()).collect(),
        }
    }
}

/// Defines an enum that is a [`Choice`], prints and parses as its ids, and serialises as text.
///
/// The crate that calls it needs `serde`.
#[macro_export]
macro_rules! choice {
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident = $set:literal {
            $( $(#[$variant_meta:meta])* $variant:ident = $id:literal: $describe:literal, )+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        $vis enum $name {
            $( $(#[$variant_meta])* $variant, )+
        }

        impl $crate::Choice for $name {
            const NAME: &'static str = $set;
            const ALL: &'static [Self] = &[ $( Self::$variant, )+ ];

            fn id(self) -> &'static str {
                match self { $( Self::$variant => $id, )+ }
            }

            fn describe(self) -> &'static str {
                match self { $( Self::$variant => $describe, )+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str($crate::Choice::id(*self))
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::UnknownChoice;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $( $id => Ok(Self::$variant), )+
                    _ => Err($crate::UnknownChoice::new::<Self>(text)),
                }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str($crate::Choice::id(*self))
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use choice;
