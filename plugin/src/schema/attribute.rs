//! One attribute: its type, who sets it, and what it does while a plan is made.

use serde::de::DeserializeOwned;

use super::{Behaviour, Nested, Nesting, Type};
use crate::value::{Number, Value};

/// What an attribute holds.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    Plain(Type),
    Nested(Nesting, Nested),
}

/// One attribute. Until something is said, it is neither required, optional nor computed; say at least one.
#[derive(Clone, Debug)]
pub struct Attribute {
    pub(crate) shape: Shape,
    pub(crate) description: String,
    pub(crate) required: bool,
    pub(crate) optional: bool,
    pub(crate) computed: bool,
    pub(crate) sensitive: bool,
    pub(crate) write_only: bool,
    pub(crate) deprecated: bool,
    pub(crate) behaviour: Behaviour,
}

impl Attribute {
    fn of(shape: Shape) -> Self {
        Self {
            shape,
            description: String::new(),
            required: false,
            optional: false,
            computed: false,
            sensitive: false,
            write_only: false,
            deprecated: false,
            behaviour: Behaviour::default(),
        }
    }

    /// Of any type; for the collections use [`Type::list`] and the like.
    pub fn plain(ty: Type) -> Self {
        Self::of(Shape::Plain(ty))
    }

    /// Text.
    pub fn string() -> Self {
        Self::plain(Type::String)
    }

    /// True or false.
    pub fn bool() -> Self {
        Self::plain(Type::Bool)
    }

    /// A number.
    pub fn number() -> Self {
        Self::plain(Type::Number)
    }

    /// A whole number of 64 bits; anything else is refused.
    pub fn int64() -> Self {
        Self::number().validate(|number: &Number| match number.as_i64() {
            Some(_) => Ok(()),
            None => Err(format!(
                "{number} is not a whole number that fits in 64 bits"
            )),
        })
    }

    /// Elements in order.
    pub fn list(element: Type) -> Self {
        Self::plain(Type::list(element))
    }

    /// Elements without order, each once.
    pub fn set(element: Type) -> Self {
        Self::plain(Type::set(element))
    }

    /// Elements by key.
    pub fn map(element: Type) -> Self {
        Self::plain(Type::map(element))
    }

    /// An object of a fixed type: all or nothing is set. Mostly [`Attribute::nested`] is better.
    pub fn object<N: Into<String>>(attributes: impl IntoIterator<Item = (N, Type)>) -> Self {
        Self::plain(Type::object(attributes))
    }

    /// Of whatever type the person gives.
    pub fn dynamic() -> Self {
        Self::plain(Type::Dynamic)
    }

    /// One object with attributes of its own.
    pub fn nested(nested: Nested) -> Self {
        Self::of(Shape::Nested(Nesting::Single, nested))
    }

    /// Objects by key: addresses that stay.
    pub fn nested_map(nested: Nested) -> Self {
        Self::of(Shape::Nested(Nesting::Map, nested))
    }

    /// Objects in order.
    pub fn nested_list(nested: Nested) -> Self {
        Self::of(Shape::Nested(Nesting::List, nested))
    }

    /// Objects without order.
    pub fn nested_set(nested: Nested) -> Self {
        Self::of(Shape::Nested(Nesting::Set, nested))
    }

    /// The person must set it.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// The person may set it.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// The provider sets it; with [`optional`](Self::optional) only if the person doesn't.
    #[must_use]
    pub fn computed(mut self) -> Self {
        self.computed = true;
        self
    }

    /// The CLI does not show its value.
    #[must_use]
    pub fn sensitive(mut self) -> Self {
        self.sensitive = true;
        self
    }

    /// Never stored in plan or state: seen in `config` of create and update only, null everywhere else.
    #[must_use]
    pub fn write_only(mut self) -> Self {
        self.write_only = true;
        self
    }

    /// The CLI warns whoever uses it.
    #[must_use]
    pub fn deprecated(mut self) -> Self {
        self.deprecated = true;
        self
    }

    /// What it is for, in Markdown.
    #[must_use]
    pub fn description(mut self, markdown: impl Into<String>) -> Self {
        self.description = markdown.into();
        self
    }

    /// The value if the person gives none; makes it optional and computed.
    /// Whole numbers are [`i64`]: `.default(20)`.
    #[must_use]
    pub fn default(mut self, value: impl Into<Value>) -> Self {
        (self.optional, self.computed) = (true, true);
        self.behaviour.default = Some(value.into());
        self
    }

    /// While planning an update, a computed value is expected to stay as it is in state
    /// (ids and the like) instead of being shown as known after apply.
    #[must_use]
    pub fn use_state_for_unknown(mut self) -> Self {
        self.behaviour.use_state_for_unknown = true;
        self
    }

    /// A change of it replaces the resource. One that is computed and left open stays as it is in state. In nested attributes: a change within an element that stays, not
    /// an element that comes or goes.
    #[must_use]
    pub fn requires_replace(mut self) -> Self {
        self.behaviour.replace_always();
        self
    }

    /// A change of it replaces the resource if this says so of the value in state and the planned one.
    /// `T` is `Attr<_>` where null or unknown matter; with a plain type those replace.
    #[must_use]
    pub fn requires_replace_if<T: DeserializeOwned>(
        mut self,
        judge: impl Fn(&T, &T) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.behaviour.replace_if(judge);
        self
    }

    /// Refuses wrong values, offline and with the attribute's path. Runs on values that are set and known only;
    /// can be given several times.
    #[must_use]
    pub fn validate<T: DeserializeOwned>(
        mut self,
        check: impl Fn(&T) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        self.behaviour.check(check);
        self
    }

    /// [`validate`](Self::validate) for text.
    #[must_use]
    pub fn validate_str(
        self,
        check: impl Fn(&str) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        self.validate(move |text: &String| check(text))
    }

    /// The type of its value.
    pub fn value_type(&self) -> Type {
        match &self.shape {
            Shape::Plain(ty) => ty.clone(),
            Shape::Nested(nesting, nested) => {
                let object = nested.object_type();
                match nesting {
                    Nesting::Single => object,
                    Nesting::List => Type::list(object),
                    Nesting::Set => Type::set(object),
                    Nesting::Map => Type::map(object),
                }
            }
        }
    }
}
