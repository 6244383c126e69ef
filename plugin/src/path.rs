//! Where in a resource's attributes something is: the address that diagnostics and replacements carry.

use std::fmt;

/// One step from a value into what it contains.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// An attribute of an object.
    Attribute(String),
    /// An element of a map.
    Key(String),
    /// An element of a list.
    Index(i64),
}

/// An address within a resource, such as `servers["web"].image`.
///
/// ```
/// use mkys_plugin::Path;
/// let path = Path::root("servers").key("web").attribute("networks").index(0);
/// assert_eq!(path.to_string(), r#"servers["web"].networks[0]"#);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Path(Vec<Step>);

impl Path {
    /// The whole resource.
    pub fn whole() -> Self {
        Self::default()
    }

    /// An attribute at the top of the resource.
    pub fn root(attribute: impl Into<String>) -> Self {
        Self::whole().attribute(attribute)
    }

    /// An attribute of the object at this path.
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>) -> Self {
        self.0.push(Step::Attribute(name.into()));
        self
    }

    /// The element with this key in the map at this path.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.0.push(Step::Key(key.into()));
        self
    }

    /// The element with this index in the list at this path.
    #[must_use]
    pub fn index(mut self, index: usize) -> Self {
        self.0
            .push(Step::Index(i64::try_from(index).unwrap_or(i64::MAX)));
        self
    }

    /// The steps from the resource to the value.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// True for the whole resource.
    pub fn is_whole(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Step> for Path {
    fn from(step: Step) -> Self {
        Self(vec![step])
    }
}

impl FromIterator<Step> for Path {
    fn from_iter<I: IntoIterator<Item = Step>>(steps: I) -> Self {
        Self(steps.into_iter().collect())
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Attribute(name) if position == 0 => write!(f, "{name}")?,
                Step::Attribute(name) => write!(f, ".{name}")?,
                Step::Key(key) => write!(f, "[{key:?}]")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}
