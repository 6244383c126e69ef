//! What is wrong with a definition, and where.

use std::fmt;

/// One step of the path to an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// An attribute, such as `cidr`.
    Attribute(&'static str),
    /// A key of a map, such as the name of a server.
    Key(String),
    /// An element of a list, counted from 0.
    Index(usize),
}

/// One thing that is wrong with a definition. A validation reports all of them at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where, from the root of the definition.
    pub path: Vec<Segment>,
    /// One line that names the thing.
    pub summary: String,
    /// What is wrong with it, and what would be right.
    pub detail: String,
}

impl Problem {
    pub(crate) fn new(path: &At, summary: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            path: path.0.clone(),
            summary: summary.into(),
            detail: detail.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, segment) in self.path.iter().enumerate() {
            match segment {
                Segment::Attribute(name) if index == 0 => f.write_str(name)?,
                Segment::Attribute(name) => write!(f, ".{name}")?,
                Segment::Key(key) => write!(f, "[{key:?}]")?,
                Segment::Index(index) => write!(f, "[{index}]")?,
            }
        }
        write!(f, ": {}: {}", self.summary, self.detail)
    }
}

/// A path under construction.
#[derive(Clone, Default)]
pub(crate) struct At(Vec<Segment>);

impl At {
    pub(crate) fn attribute(&self, name: &'static str) -> Self {
        self.with(Segment::Attribute(name))
    }

    pub(crate) fn key(&self, key: &str) -> Self {
        self.with(Segment::Key(key.to_owned()))
    }

    pub(crate) fn index(&self, index: usize) -> Self {
        self.with(Segment::Index(index))
    }

    fn with(&self, segment: Segment) -> Self {
        let mut path = self.0.clone();
        path.push(segment);
        Self(path)
    }
}
