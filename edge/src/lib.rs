//! The web service beside NGINX that gives routes, and the portal.
