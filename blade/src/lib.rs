//! Blade definitions: validation and compilation to a Heat (HOT) template, without IO.
