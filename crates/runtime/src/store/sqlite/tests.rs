//! Does each step keep its promise on a real file?
