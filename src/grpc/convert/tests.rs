//! What becomes of requests at the edge.
