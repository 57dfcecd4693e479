//! The image that contains this crate: the program, or a dynamic library, as the loader has mapped it.
//!
//! It is for the function table, and for back-ends that start the program again. Nothing here reads the image itself.
#![allow(unsafe_code)]
// Where the system does not say what is mapped, nothing asks for the parts of an image.
#![cfg_attr(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")), allow(dead_code))]

use std::ops::Range;

/// The static that addresses of functions are relative to. A static has one address, unlike a function or a constant,
/// which the compiler may copy.
static ANCHOR: u64 = 0x636f_6e63_7572_7265;

pub(super) fn anchor() -> usize {
    std::ptr::addr_of!(ANCHOR).addr()
}

/// A loaded file.
#[derive(Debug, Default)]
pub struct Image {
    is_program: bool,
    name: String,
    base: usize,
    loaded: Vec<Range<usize>>,
    readable: Vec<Range<usize>>,
    constant: Vec<Range<usize>>,
    relocated: Vec<Range<usize>>,
    notes: Vec<Range<usize>>,
    dynamic: Option<Range<usize>>,
}

impl Image {
    /// Returns whether this is the program itself, and not a dynamic library.
    pub fn is_program(&self) -> bool {
        self.is_program
    }

    /// Returns the name for a message: the program, or the library's path.
    pub fn title(&self) -> String {
        if self.is_program { "the program".to_string() } else { format!("the dynamic library `{}`", self.name) }
    }

    /// Returns the base of the addresses in the file. It is 0 for a program that is not relocated.
    pub fn base(&self) -> usize {
        self.base
    }

    /// Returns all parts that are mapped from the file.
    pub fn loaded(&self) -> &[Range<usize>] {
        &self.loaded
    }

    /// Returns the dynamic section. A static program that is not relocated has none.
    pub fn dynamic(&self) -> Option<Range<usize>> {
        self.dynamic.clone()
    }

    /// Returns the parts that are never written, not even by the loader.
    pub(super) fn constant(&self) -> &[Range<usize>] {
        &self.constant
    }

    /// Returns the parts that hold notes, such as the build id.
    pub(super) fn notes(&self) -> &[Range<usize>] {
        &self.notes
    }

    /// Returns whether this part of memory is in the image and is not written after the start of the program.
    ///
    /// With `-C relro-level=off`, the linker does not separate the memory that only the loader writes. Then the
    /// constants of a relocated program are among its variables, and every part that can be read counts.
    pub(super) fn is_constant(&self, at: usize, size: usize) -> bool {
        let separated: [&[Range<usize>]; 2] = [&self.constant, &self.relocated];
        let mixed: [&[Range<usize>]; 2] = [&self.readable, &[]];
        let parts = if self.relocated.is_empty() { mixed } else { separated };
        let Some(end) = at.checked_add(size) else { return false };
        parts.into_iter().flatten().any(|part| part.start <= at && end <= part.end)
    }

    /// Makes an image that is not loaded.
    #[cfg(test)]
    pub(super) fn fake(is_program: bool, name: &str) -> Image {
        Image { is_program, name: name.to_string(), ..Image::default() }
    }

    fn contains(&self, at: usize) -> bool {
        self.loaded.iter().any(|part| part.contains(&at))
    }
}

/// Returns the image that contains this crate.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
pub fn own() -> &'static Image {
    static OWN: std::sync::OnceLock<Image> = std::sync::OnceLock::new();
    // If the loader does not report the image, it has no parts, so no function is found.
    OWN.get_or_init(|| holding(anchor()).unwrap_or_default())
}

/// Returns the image that contains an address.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
pub fn holding(at: usize) -> Option<Image> {
    use std::ffi::{CStr, c_void};

    struct Search {
        at: usize,
        visited: usize,
        found: Option<Image>,
    }

    /// Examines a loaded file, and ends the visit at the one that holds the address. The loader calls it for each file.
    unsafe extern "C" fn visit(info: *mut libc::dl_phdr_info, _: usize, data: *mut c_void) -> i32 {
        // SAFETY: the loader passes a valid description of a loaded file.
        let info = unsafe { &*info };
        // SAFETY: `data` is the `&mut Search` of the caller, which is not used elsewhere during the call.
        let search = unsafe { &mut *data.cast::<Search>() };
        // SAFETY: the loader describes a loaded file.
        let image = unsafe { read(info) };
        search.visited += 1;
        if !image.contains(search.at) {
            return 0;
        }
        let name = if info.dlpi_name.is_null() {
            String::new()
        } else {
            // SAFETY: the name is a text that ends with a zero byte, and lives during the call.
            unsafe { CStr::from_ptr(info.dlpi_name) }.to_string_lossy().into_owned()
        };
        // The program is visited first. In another namespace (`dlmopen`) a library is, and that has a name.
        let is_program = search.visited == 1 && (name.is_empty() || !cfg!(target_env = "gnu"));
        search.found = Some(Image { is_program, name, ..image });
        1
    }

    let mut search = Search { at, visited: 0, found: None };
    // SAFETY: the callback receives `search` as its data, which outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(visit), std::ptr::from_mut(&mut search).cast()) };
    search.found
}

/// Reads the program headers.
///
/// # Safety
///
/// - `info` is the loader's description of a loaded file.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
unsafe fn read(info: &libc::dl_phdr_info) -> Image {
    // Flags of the ELF format. The crate `libc` does not have them for every system.
    const WRITABLE: u32 = 2;
    const READABLE: u32 = 4;
    // SAFETY: the description points to that many program headers.
    let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
    let base = info.dlpi_addr as usize;
    let mut image = Image { base, ..Image::default() };
    for header in headers {
        let start = base.wrapping_add(header.p_vaddr as usize);
        let part = start..start.wrapping_add(header.p_memsz as usize);
        match header.p_type {
            libc::PT_LOAD => {
                image.loaded.push(part.clone());
                if header.p_flags & READABLE != 0 {
                    // Memory after the contents of the file is initially zero, so it holds no constants.
                    image.readable.push(start..start.wrapping_add(header.p_filesz as usize));
                    if header.p_flags & WRITABLE == 0 {
                        image.constant.push(part);
                    }
                }
            }
            libc::PT_GNU_RELRO => image.relocated.push(part),
            libc::PT_NOTE => image.notes.push(part),
            libc::PT_DYNAMIC => image.dynamic = Some(part),
            _ => {}
        }
    }
    image
}

/// Returns all memory near this crate as the program, because this system does not report what is mapped.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
pub fn own() -> &'static Image {
    static OWN: std::sync::OnceLock<Image> = std::sync::OnceLock::new();
    OWN.get_or_init(|| {
        /// A program's image is smaller than this.
        const NEAR: usize = 1 << 30;
        let base = anchor();
        let near = base.saturating_sub(NEAR)..base.saturating_add(NEAR);
        Image { is_program: true, base, readable: vec![near], ..Image::default() }
    })
}

/// Returns `None`, because this system does not report what is mapped.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
pub fn holding(_: usize) -> Option<Image> {
    None
}

#[cfg(all(test, any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
mod tests {
    use std::sync::atomic::AtomicU64;

    use super::*;

    static CONSTANT: [u64; 4] = [1; 4];
    static REFERENCE: &[u64; 4] = &CONSTANT;
    static ZEROES: [AtomicU64; 4] = [const { AtomicU64::new(0) }; 4];
    static NUMBERS: [AtomicU64; 4] = [const { AtomicU64::new(7) }; 4];

    fn is_constant<T>(value: &T) -> bool {
        own().is_constant(std::ptr::from_ref(value).addr(), size_of::<T>())
    }

    #[test]
    fn only_memory_that_is_never_written_is_constant() {
        assert!(own().is_program());
        assert!(is_constant(&CONSTANT) && is_constant(&REFERENCE));
        assert!(!is_constant(&ZEROES) && !is_constant(&NUMBERS));
        let (local, boxed) = ([1u64; 4], Box::new([1u64; 4]));
        assert!(!is_constant(&local) && !is_constant(&*boxed));
        assert!(!own().is_constant(usize::MAX, 16));
        let end = own().constant()[0].end;
        assert!(!own().is_constant(end - 8, 16), "it reaches beyond the end of a part");
    }

    #[test]
    fn a_function_of_a_library_lies_in_another_image() {
        let image = holding(libc::getenv as *const () as usize).expect("the C library is loaded");
        if cfg!(target_feature = "crt-static") {
            assert!(image.is_program());
        } else {
            assert!(!image.is_program() && image.title().contains("libc"), "{image:?}");
        }
    }
}
