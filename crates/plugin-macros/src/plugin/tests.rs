//! What does the macro say of mistakes?
