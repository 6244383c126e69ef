//! A number as the CLI knows it: of any size and precision. Nothing is rounded on the way through.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::ser::{Serialize, Serializer};

/// The name under which [`Number`] speaks with this crate's own serializer and deserializer; elsewhere it is a number, or text
/// where a number would lose something.
pub(super) const NUMBER: &str = "$mkys_plugin::Number";

/// The text is no decimal number.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not a decimal number: {0:?}")]
pub struct NumberError(pub String);

/// A number of any size and precision.
#[derive(Clone, Debug)]
pub struct Number(Form);

#[derive(Clone, Debug)]
enum Form {
    Integer(i64),
    /// Finite. What the CLI sent as a float is exactly this float, so it goes back as one.
    Float(f64),
    /// Decimal text: what fits neither, above all fractions such as 0.1, which no float is.
    Decimal(String),
}

/// How a number goes over the wire.
pub(crate) enum Wire<'a> {
    Integer(i64),
    Float(f64),
    Text(&'a str),
}

impl Number {
    /// The number that a person means by this float: 0.1 is the decimal fraction, not the float nearest to it.
    /// `None` for what is no number or infinite.
    pub fn from_f64(value: f64) -> Option<Self> {
        if !value.is_finite() {
            return None;
        }
        // Both bounds are exact in a float; the upper one itself no longer fits.
        if value.fract() == 0.0 {
            let fits = (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&value);
            return Some(Self(if fits {
                Form::Integer(value as i64)
            } else {
                Form::Float(value)
            }));
        }
        Some(Self(Form::Decimal(value.to_string())))
    }

    /// Exactly this float.
    pub(crate) fn exactly(value: f64) -> Option<Self> {
        value.is_finite().then_some(Self(Form::Float(value)))
    }

    /// Reads decimal text such as `12`, `-0.25` or `1e300`.
    ///
    /// # Errors
    /// If it is no decimal number.
    pub fn parse(text: &str) -> Result<Self, NumberError> {
        if let Ok(integer) = text.parse::<i64>() {
            return Ok(Self(Form::Integer(integer)));
        }
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let digits = mantissa.strip_prefix(['-', '+']).unwrap_or(mantissa);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        // The exponent is bounded because comparing writes the number out.
        let exponent_fits = exponent.parse::<i32>().is_ok_and(|e| e.abs() <= 100_000);
        if all_digits(whole) && all_digits(fraction) && exponent_fits {
            Ok(Self(Form::Decimal(text.to_owned())))
        } else {
            Err(NumberError(text.to_owned()))
        }
    }

    /// The number if it is an integer that fits.
    pub fn as_i64(&self) -> Option<i64> {
        match &self.0 {
            Form::Integer(integer) => Some(*integer),
            Form::Float(_) | Form::Decimal(_) => self.plain().parse().ok(),
        }
    }

    /// The number if it is an integer that fits.
    pub fn as_u64(&self) -> Option<u64> {
        match &self.0 {
            Form::Integer(integer) => u64::try_from(*integer).ok(),
            Form::Float(_) | Form::Decimal(_) => self.plain().parse().ok(),
        }
    }

    /// The nearest float.
    pub fn as_f64(&self) -> f64 {
        match &self.0 {
            Form::Integer(integer) => *integer as f64,
            Form::Float(float) => *float,
            Form::Decimal(text) => text.parse().unwrap_or(f64::NAN),
        }
    }

    pub(crate) fn wire(&self) -> Wire<'_> {
        match &self.0 {
            Form::Integer(integer) => Wire::Integer(*integer),
            Form::Float(float) => Wire::Float(*float),
            Form::Decimal(text) => Wire::Text(text),
        }
    }

    /// Written out without exponent or needless zeros: the same text for the same number.
    fn plain(&self) -> String {
        match &self.0 {
            Form::Integer(integer) => integer.to_string(),
            // 1,074 digits are enough to write any float exactly.
            Form::Float(float) => trim(&format!("{float:.1074}")),
            Form::Decimal(text) => write_out(text),
        }
    }
}

/// Moves the decimal point by the exponent.
fn write_out(text: &str) -> String {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let negative = mantissa.starts_with('-');
    let digits = mantissa.trim_start_matches(['-', '+']);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mut all = format!("{whole}{fraction}");
    let mut point = i64::try_from(whole.len()).unwrap_or(i64::MAX) + i64::from(exponent);
    while point <= 0 {
        all.insert(0, '0');
        point += 1;
    }
    let point = usize::try_from(point).unwrap_or(0);
    while all.len() <= point {
        all.push('0');
    }
    all.insert(point, '.');
    trim(&format!("{}{all}", if negative { "-" } else { "" }))
}

/// Takes away zeros that say nothing.
fn trim(text: &str) -> String {
    let (sign, digits) = text
        .strip_prefix('-')
        .map_or(("", text), |rest| ("-", rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let (whole, fraction) = (
        whole.trim_start_matches('0'),
        fraction.trim_end_matches('0'),
    );
    let whole = if whole.is_empty() { "0" } else { whole };
    match (whole, fraction) {
        ("0", "") => "0".to_owned(),
        (_, "") => format!("{sign}{whole}"),
        _ => format!("{sign}{whole}.{fraction}"),
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self(Form::Integer(value))
    }
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        Self(i64::try_from(value).map_or_else(|_| Form::Decimal(value.to_string()), Form::Integer))
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Form::Integer(one), Form::Integer(two)) => one == two,
            (Form::Float(one), Form::Float(two)) => one == two,
            _ => self.plain() == other.plain(),
        }
    }
}

impl Eq for Number {}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.plain())
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(NUMBER, &Lossless(self))
    }
}

/// As a number where that loses nothing, else as text.
struct Lossless<'a>(&'a Number);

impl Serialize for Lossless<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Form::Integer(integer) = self.0.0 {
            return serializer.serialize_i64(integer);
        }
        let float = self.0.as_f64();
        if Number::from_f64(float).as_ref() == Some(self.0) {
            serializer.serialize_f64(float)
        } else {
            serializer.serialize_str(&self.0.plain())
        }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberVisitor;
        impl<'de> Visitor<'de> for NumberVisitor {
            type Value = Number;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }
            fn visit_newtype_struct<D: Deserializer<'de>>(
                self,
                deserializer: D,
            ) -> Result<Number, D::Error> {
                deserializer.deserialize_any(self)
            }
            fn visit_i64<E: Error>(self, value: i64) -> Result<Number, E> {
                Ok(value.into())
            }
            fn visit_u64<E: Error>(self, value: u64) -> Result<Number, E> {
                Ok(value.into())
            }
            fn visit_f64<E: Error>(self, value: f64) -> Result<Number, E> {
                Number::from_f64(value).ok_or_else(|| E::custom("a number must be finite"))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Number, E> {
                Number::parse(text).map_err(E::custom)
            }
        }
        deserializer.deserialize_newtype_struct(NUMBER, NumberVisitor)
    }
}
