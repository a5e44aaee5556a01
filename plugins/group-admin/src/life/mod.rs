//! What does a room want done? Welcome, rules, polls, check-in, announcements and the like.
