//! Is this a whole shared library for this machine? The system's loader would find out by a crash: it maps what the
//! headers promise and touches it, and behind the end of the file there is only SIGBUS.
//!
//! Source: the System V ABI, "Object Files". Only what Linux on 64 bits uses; elsewhere the loader has to know.

use super::refusal::Refusal;

/// Shared libraries, `e_type`.
const ET_DYN: u16 = 3;
/// Segments that are mapped, `p_type`.
const PT_LOAD: u32 = 1;

/// Refuses what is cut off, of another machine, or something else.
pub(super) fn check(file: &[u8]) -> Result<(), Refusal> {
    if cfg!(not(all(target_os = "linux", target_pointer_width = "64", target_endian = "little"))) {
        return Ok(());
    }
    if !file.starts_with(b"\x7fELF") {
        return Err(Refusal::NotALibrary { why: "it does not begin like one" });
    }
    let len = file.len() as u64;
    let header = Header::read(file).ok_or(Refusal::HalfWritten { have: len, want: 64 })?;
    let ours = std::env::consts::ARCH;
    if header.class != [2, 1] || machine(ours).is_some_and(|machine| machine != header.machine) {
        return Err(Refusal::OtherMachine { ours });
    }
    if header.kind != ET_DYN {
        return Err(Refusal::NotALibrary { why: "it is a program or an object file" });
    }
    // The section headers are the last thing that a linker writes.
    let mut want =
        header.sections.0.saturating_add(header.sections.1).max(header.segments.0.saturating_add(header.segments.1));
    for index in 0..header.segments.1 / u64::from(header.segment_len.max(1)) {
        let at = header.segments.0.saturating_add(index * u64::from(header.segment_len));
        if let Some(end) = end_of_segment(file, at) {
            want = want.max(end);
        }
    }
    if want > len { Err(Refusal::HalfWritten { have: len, want }) } else { Ok(()) }
}

/// What the beginning of the file says; tables as (offset, bytes).
struct Header {
    class: [u8; 2],
    kind: u16,
    machine: u16,
    segments: (u64, u64),
    segment_len: u16,
    sections: (u64, u64),
}

impl Header {
    fn read(file: &[u8]) -> Option<Self> {
        let table = |at: usize, sizes: usize| {
            let (one, many) = (u16::from_le_bytes(bytes(file, sizes)?), u16::from_le_bytes(bytes(file, sizes + 2)?));
            Some((u64::from_le_bytes(bytes(file, at)?), u64::from(one) * u64::from(many)))
        };
        Some(Self {
            class: bytes(file, 4)?,
            kind: u16::from_le_bytes(bytes(file, 16)?),
            machine: u16::from_le_bytes(bytes(file, 18)?),
            segments: table(32, 54)?,
            segment_len: u16::from_le_bytes(bytes(file, 54)?),
            sections: table(40, 58)?,
        })
    }
}

/// Where the mapped segment that is described at `at` ends; nothing for other segments.
fn end_of_segment(file: &[u8], at: u64) -> Option<u64> {
    let at = usize::try_from(at).ok()?;
    let kind = u32::from_le_bytes(bytes(file, at)?);
    let (offset, len) = (u64::from_le_bytes(bytes(file, at + 8)?), u64::from_le_bytes(bytes(file, at + 32)?));
    (kind == PT_LOAD).then(|| offset.saturating_add(len))
}

fn bytes<const N: usize>(file: &[u8], at: usize) -> Option<[u8; N]> {
    file.get(at..at.checked_add(N)?)?.try_into().ok()
}

/// `e_machine` of a processor; nothing for those that are left to the loader.
fn machine(arch: &str) -> Option<u16> {
    match arch {
        "x86_64" => Some(62),
        "aarch64" => Some(183),
        "riscv64" => Some(243),
        _ => None,
    }
}

#[cfg(all(test, target_os = "linux", target_arch = "x86_64"))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A library of one segment of `body` bytes and two section headers at the end.
    fn library(body: usize) -> Vec<u8> {
        let mut file = vec![0; 64 + 56 + body + 128];
        let mut put = |at: usize, what: &[u8]| file.splice(at..at + what.len(), what.iter().copied()).for_each(drop);
        put(0, b"\x7fELF\x02\x01\x01");
        put(16, &3_u16.to_le_bytes());
        put(18, &62_u16.to_le_bytes());
        put(32, &64_u64.to_le_bytes());
        put(40, &((64 + 56 + body) as u64).to_le_bytes());
        for (at, number) in [(54, 56_u16), (56, 1), (58, 64), (60, 2)] {
            put(at, &number.to_le_bytes());
        }
        put(64, &PT_LOAD.to_le_bytes());
        put(64 + 32, &((64 + 56 + body) as u64).to_le_bytes());
        file
    }

    #[test]
    fn what_is_a_whole_library() {
        let whole = library(100);
        let but = |at: usize, byte: u8| {
            let mut file = whole.clone();
            file[at] = byte;
            file
        };
        let cut = |have: usize| (whole[..have].to_vec(), Err(Refusal::HalfWritten { have: have as u64, want: 348 }));
        let program = Err(Refusal::NotALibrary { why: "it is a program or an object file" });
        let text = Err(Refusal::NotALibrary { why: "it does not begin like one" });
        let other = || Err(Refusal::OtherMachine { ours: "x86_64" });
        for (name, (file, want)) in [
            ("whole", (whole.clone(), Ok(()))),
            ("without its last byte", cut(347)),
            ("without sections", cut(220)),
            ("a header", (whole[..60].to_vec(), Err(Refusal::HalfWritten { have: 60, want: 64 }))),
            ("a program", (but(16, 2), program)),
            ("of a phone", (but(18, 183), other())),
            ("of 32 bits", (but(4, 1), other())),
            ("text", (b"#!/bin/sh".to_vec(), text.clone())),
            ("nothing", (vec![], text)),
        ] {
            assert_eq!(check(&file), want, "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged(mut tail: Vec<u8>) {
            let mut file = b"\x7fELF\x02\x01".to_vec();
            file.append(&mut tail);
            _ = check(&file);
        }
    }
}
