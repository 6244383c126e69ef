//! A call to a service of the cloud, as a value.

use reqwest::Method;
use serde_json::Value;

/// A service of the cloud, by its type in the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// Keystone.
    Identity,
    /// Glance.
    Image,
    /// Nova.
    Compute,
    /// Neutron.
    Network,
    /// Cinder.
    Volume,
    /// Heat.
    Orchestration,
}

impl Service {
    /// Types it may have in the catalogue, the usual one first.
    pub(crate) const fn types(self) -> &'static [&'static str] {
        match self {
            Self::Identity => &["identity"],
            Self::Image => &["image"],
            Self::Compute => &["compute"],
            Self::Network => &["network"],
            Self::Volume => &["volumev3", "block-storage", "block-store", "volume"],
            Self::Orchestration => &["orchestration"],
        }
    }

    /// The name that operators know it by.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Identity => "Keystone",
            Self::Image => "Glance",
            Self::Compute => "Nova",
            Self::Network => "Neutron",
            Self::Volume => "Cinder",
            Self::Orchestration => "Heat",
        }
    }
}

/// One call.
#[derive(Clone, Debug)]
pub struct Call {
    pub(crate) service: Service,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) body: Option<Value>,
    /// The part of the answer's object that is wanted, such as `server`.
    pub(crate) key: Option<&'static str>,
    /// `OpenStack-API-Version`, where another than the oldest is needed.
    pub(crate) version: Option<&'static str>,
}

impl Call {
    fn new(service: Service, method: Method, path: impl Into<String>) -> Self {
        Self {
            service,
            method,
            path: path.into(),
            query: Vec::new(),
            body: None,
            key: None,
            version: None,
        }
    }

    /// Reads something.
    pub fn get(service: Service, path: impl Into<String>) -> Self {
        Self::new(service, Method::GET, path)
    }

    /// Makes something.
    pub fn post(service: Service, path: impl Into<String>, body: Value) -> Self {
        Self {
            body: Some(body),
            ..Self::new(service, Method::POST, path)
        }
    }

    /// Puts something in place, whatever was there.
    pub fn put(service: Service, path: impl Into<String>, body: Option<Value>) -> Self {
        Self {
            body,
            ..Self::new(service, Method::PUT, path)
        }
    }

    /// Changes something in part.
    pub fn patch(service: Service, path: impl Into<String>, body: Value) -> Self {
        Self {
            body: Some(body),
            ..Self::new(service, Method::PATCH, path)
        }
    }

    /// Takes something away.
    pub fn delete(service: Service, path: impl Into<String>) -> Self {
        Self::new(service, Method::DELETE, path)
    }

    /// Adds a query parameter.
    pub fn query(mut self, name: &str, value: impl Into<String>) -> Self {
        self.query.push((name.to_owned(), value.into()));
        self
    }

    /// Asks for a version of the service's API, such as `compute 2.3`.
    pub fn version(mut self, version: &'static str) -> Self {
        self.version = Some(version);
        self
    }

    /// Says which part of the answer is wanted.
    pub fn key(mut self, key: &'static str) -> Self {
        self.key = Some(key);
        self
    }
}
