//! Client of the edge's API, and the types that client and server share.
