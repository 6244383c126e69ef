//! The plan of a change as far as the schema alone decides it. In order: defaults; if then anything differs from the state,
//! what the provider computes is unknown, save what is said to stay. The resource's own refinement follows, and last which
//! changes replace the resource. All pure: values in, values out.

mod align;
mod check;
mod defaults;
mod replace;
#[cfg(test)]
mod tests;
mod unknown;
mod write_only;

pub(crate) use check::check;
pub(crate) use defaults::with_defaults;
pub(crate) use replace::replacements;
pub(crate) use write_only::{given_write_only, without_write_only};

use crate::schema::{Schema, Type};
use crate::value::{Value, same};

/// What will be, as far as the schema alone decides it. `proposed` is the CLI's merge of configuration and state.
pub(crate) fn propose(
    schema: &Schema,
    ty: &Type,
    config: &Value,
    prior: &Value,
    proposed: Value,
) -> Value {
    let mut planned = with_defaults(&schema.attributes, proposed, config);
    without_write_only(&schema.attributes, &mut planned);
    if prior.is_null() || !same(prior, &planned, ty) {
        unknown::mark(&schema.attributes, &mut planned, config, prior);
    }
    planned
}
