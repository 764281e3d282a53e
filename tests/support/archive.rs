//! Archives of arrays, as numpy writes them.

use std::io::Write;

/// An archive of members, deflated or stored.
pub fn npz(members: &[(&str, Vec<u8>)], deflated: bool) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in members {
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        let packed = match deflated {
            true => {
                let level = flate2::Compression::default();
                let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), level);
                encoder.write_all(bytes).expect("memory");
                encoder.finish().expect("memory")
            }
            false => bytes.clone(),
        };
        let method = if deflated { 8u16 } else { 0 };
        let sizes = [crc.sum(), packed.len() as u32, bytes.len() as u32];
        let mut entry = [20u16, 0, method, 0, 0x21].map(u16::to_le_bytes).concat();
        entry.extend(sizes.map(u32::to_le_bytes).concat());
        entry.extend([name.len() as u16, 0].map(u16::to_le_bytes).concat());
        directory.extend([&b"PK\x01\x02\x14\x00"[..], &entry].concat());
        directory.extend([0u16, 0, 0, 0, 0].map(u16::to_le_bytes).concat());
        directory.extend((file.len() as u32).to_le_bytes());
        directory.extend(name.as_bytes());
        file.extend([&b"PK\x03\x04"[..], &entry, name.as_bytes(), &packed].concat());
    }
    let counts =
        [0u16, 0, members.len() as u16, members.len() as u16].map(u16::to_le_bytes).concat();
    let place = [directory.len() as u32, file.len() as u32].map(u32::to_le_bytes).concat();
    [&file[..], &directory, b"PK\x05\x06", &counts, &place, &[0, 0]].concat()
}
