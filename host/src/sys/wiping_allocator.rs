//! Memory that is given back holds nothing any more.
//!
//! What is known to be secret wipes itself. A message with a secret in it also comes through buffers that are nobody's
//! here: of the kernel's socket into those of gRPC, of a JSON line into a parser's. All of them are given back before
//! long, and what is free memory by then can be read for days.

#![expect(
    unsafe_code,
    reason = "an allocator is unsafe by its interface; this one hands everything on to the system's"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::arch::asm;

/// The system's allocator, but that blocks are overwritten with zeros before they are given back. Growing a block takes
/// another one, so that nothing stays behind where it was.
#[derive(Debug)]
pub struct WipingAllocator;

// SAFETY: every block comes from the system's allocator and goes back to it, with the same layout; it is written to
// only while it is still this allocator's.
unsafe impl GlobalAlloc for WipingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's duty, handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's duty, handed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the block has as many bytes, and by the caller's duty nobody uses it any more.
        unsafe {
            block.write_bytes(0, layout.size());
            // Writing to what is given back next is nothing to a compiler, which leaves it out unless somebody may look.
            asm!("/* {0} */", in(reg) block, options(nostack, preserves_flags));
            System.dealloc(block, layout);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block that is large enough to be mapped by itself would be gone; of a small one, what is free can be read by
    /// whoever gets the same block next.
    #[test]
    fn what_was_in_a_block_is_not_in_it_for_the_next_one() {
        let layout = Layout::from_size_align(512, 16).expect("a layout");
        let mut blocks = 0;
        for _ in 0..100 {
            // SAFETY: of that layout, written within it, and given back once.
            unsafe {
                let block = WipingAllocator.alloc(layout);
                assert!(!block.is_null(), "there is memory");
                let bytes = std::slice::from_raw_parts_mut(block, layout.size());
                bytes.fill(b'x');
                WipingAllocator.dealloc(block, layout);
                let next = WipingAllocator.alloc(layout);
                if next == block {
                    let left = std::slice::from_raw_parts(next, layout.size());
                    // Allocators keep a few words of their own in what is free.
                    assert!(!left[64..].contains(&b'x'), "it was not wiped");
                    blocks += 1;
                }
                WipingAllocator.dealloc(next, layout);
            }
        }
        assert!(blocks > 0, "no block came back, so that nothing is proven");
    }
}
