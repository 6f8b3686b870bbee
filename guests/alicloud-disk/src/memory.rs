//! Memory is taken and never given back: it ends with the instance, which lives for one call. The standard
//! allocator keeps book of what is free; that, and the code that gives things back, would be a ninth of this guest.
#![expect(unsafe_code, reason = "what is promised to the allocator")]

use lol_alloc::{AssumeSingleThreaded, LeakingAllocator};

// SAFETY: a component has one thread, and calls of the host do not interrupt it.
#[global_allocator]
static MEMORY: AssumeSingleThreaded<LeakingAllocator> =
    unsafe { AssumeSingleThreaded::new(LeakingAllocator::new()) };
