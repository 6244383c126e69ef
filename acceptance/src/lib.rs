//! The lab (real services on one machine) and the scenarios that run on it.
