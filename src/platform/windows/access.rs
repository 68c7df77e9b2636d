//! Who may do what with files and folders, as their access control lists say.

use super::paths::{is_remote, wide};
use std::ffi::c_void;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::mem::size_of;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::path::Path;
use std::ptr::null_mut;
use windows_sys::Win32::Foundation::{GENERIC_ALL, GENERIC_READ, GENERIC_WRITE, LocalFree};
use windows_sys::Win32::Security::Authorization::*;
use windows_sys::Win32::Security::*;
use windows_sys::Win32::Storage::FileSystem::{
    CreateDirectoryW, DELETE, FILE_DELETE_CHILD, FILE_FLAG_BACKUP_SEMANTICS, FILE_READ_DATA, READ_CONTROL, WRITE_DAC, WRITE_OWNER,
};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

/// Those who are everybody on this computer.
const EVERYBODY: [WELL_KNOWN_SID_TYPE; 6] =
    [WinWorldSid, WinAuthenticatedUserSid, WinBuiltinUsersSid, WinBuiltinGuestsSid, WinInteractiveSid, WinAnonymousSid];
/// Of the one who owns what bears the list, whoever that is.
const OWNER_RIGHTS: &str = "S-1-3-4";
/// Those who can do everything anyway.
const SYSTEM: [WELL_KNOWN_SID_TYPE; 2] = [WinLocalSystemSid, WinBuiltinAdministratorsSid];

/// Makes a folder that only this user, the system and its administrators may enter; what is made inside inherits that. Those
/// above it are made as any program makes them.
pub fn create_private_folder(path: &Path) -> io::Result<()> {
    let Some(parent) = path.parent().filter(|_| !path.is_dir()) else { return Ok(()) };
    if !parent.as_os_str().is_empty() {
        fs::create_dir_all(parent)?;
    }
    let name = wide(path)?;
    // A server may know its user by another id than this computer does: there it is whoever owns a file, which is who made it.
    let users = ["SY", "BA", OWNER_RIGHTS, &me()?.text()?].map(|user| format!("(A;OICI;FA;;;{user})")).concat();
    let only_its_owner = Descriptor::of(&format!("D:P{users}"))?;
    let attributes = SECURITY_ATTRIBUTES {
        nLength: size_of::<SECURITY_ATTRIBUTES>() as u32,
        lpSecurityDescriptor: only_its_owner.0,
        bInheritHandle: 0,
    };
    // SAFETY: the name is NUL-terminated, and the descriptor lives as long as the call.
    if unsafe { CreateDirectoryW(name.as_ptr(), &raw const attributes) } != 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    if error.kind() == ErrorKind::AlreadyExists && path.is_dir() { Ok(()) } else { Err(error) }
}

/// Whether everybody on this computer can read a file.
pub fn others_may_read(file: &File) -> io::Result<bool> {
    Ok(Rights::of(file)?.everybody_has(FILE_READ_DATA | GENERIC_READ | GENERIC_ALL))
}

/// What others could do to a folder that is to be its owner's alone.
pub fn exposure(folder: &Path) -> Option<String> {
    let mut options = OpenOptions::new();
    let rights =
        Rights::of(&options.access_mode(READ_CONTROL).custom_flags(FILE_FLAG_BACKUP_SEMANTICS).open(folder).ok()?).ok()?;
    // A server's ids of users are its own.
    if !rights.owner_is_trusted() && !is_remote(folder) {
        Some("belongs to another user, who can remove or replace what lies in it".into())
    } else if rights.everybody_has(DELETE | FILE_DELETE_CHILD | WRITE_DAC | WRITE_OWNER | GENERIC_WRITE | GENERIC_ALL) {
        Some(
            "can be changed by every user of this computer, who can remove or replace what lies in it: docs/windows.md tells how it \
             is kept to one user, or to a group"
                .into(),
        )
    } else {
        None
    }
}

/// Memory of the system's that is given back.
struct Descriptor(PSECURITY_DESCRIPTOR);

impl Drop for Descriptor {
    fn drop(&mut self) {
        // SAFETY: allocated by the system for whoever asked, and freed once.
        unsafe { LocalFree(self.0) };
    }
}

impl Descriptor {
    /// From its text form.
    fn of(text: &str) -> io::Result<Descriptor> {
        let text: Vec<u16> = text.encode_utf16().chain([0]).collect();
        let mut made = null_mut();
        // SAFETY: the text is NUL-terminated, `made` is a place for a pointer.
        let done = unsafe {
            ConvertStringSecurityDescriptorToSecurityDescriptorW(text.as_ptr(), SDDL_REVISION_1, &raw mut made, null_mut())
        };
        if done != 0 { Ok(Descriptor(made)) } else { Err(io::Error::last_os_error()) }
    }
}

/// An open file's owner and list.
struct Rights {
    owner: PSID,
    list: *mut ACL,
    /// What the two point into.
    _descriptor: Descriptor,
}

impl Rights {
    fn of(file: &File) -> io::Result<Rights> {
        let (mut owner, mut list, mut descriptor) = (null_mut(), null_mut(), null_mut());
        // SAFETY: the handle is open as long as `file` lives, and there is a place for each pointer that is wanted.
        let failure = unsafe {
            GetSecurityInfo(
                file.as_raw_handle() as *mut c_void,
                SE_FILE_OBJECT,
                OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION,
                &raw mut owner,
                null_mut(),
                &raw mut list,
                null_mut(),
                &raw mut descriptor,
            )
        };
        if failure != 0 {
            return Err(io::Error::from_raw_os_error(failure as i32));
        }
        Ok(Rights { owner, list, _descriptor: Descriptor(descriptor) })
    }

    /// Whether any of these rights is everybody's, here or on what is made inside.
    fn everybody_has(&self, rights: u32) -> bool {
        if self.list.is_null() {
            return true; // No list, no bounds.
        }
        let mut denied = 0;
        // SAFETY: the list is whole as long as the descriptor lives, and its entries are as long as they say. Of the kinds that
        // are looked at all begin as these two do: head, rights, whose.
        unsafe {
            for index in 0..u32::from((*self.list).AceCount) {
                let mut entry = null_mut();
                if GetAce(self.list, index, &raw mut entry) == 0 {
                    continue;
                }
                let entry = entry.cast::<ACCESS_ALLOWED_ACE>();
                let of_everybody = is_one_of((&raw mut (*entry).SidStart).cast(), &EVERYBODY);
                match u32::from((*entry).Header.AceType) {
                    ACCESS_DENIED_ACE if of_everybody => denied |= (*entry).Mask,
                    ACCESS_ALLOWED_ACE_KIND if of_everybody && (*entry).Mask & !denied & rights != 0 => return true,
                    _ => {}
                }
            }
        }
        false
    }

    /// Whether it belongs to this user, the system or its administrators.
    fn owner_is_trusted(&self) -> bool {
        let is_mine = |me: Token| {
            // SAFETY: both are whole as long as what they lie in lives.
            unsafe { EqualSid(self.owner, me.sid()) != 0 }
        };
        self.owner.is_null() || is_one_of(self.owner, &SYSTEM) || me().is_ok_and(is_mine)
    }
}

/// winnt.h: ACCESS_ALLOWED_ACE_TYPE, ACCESS_DENIED_ACE_TYPE.
const ACCESS_ALLOWED_ACE_KIND: u32 = 0;
const ACCESS_DENIED_ACE: u32 = 1;

fn is_one_of(sid: PSID, known: &[WELL_KNOWN_SID_TYPE]) -> bool {
    // SAFETY: the id is whole as long as the descriptor lives that it lies in.
    known.iter().any(|known| unsafe { IsWellKnownSid(sid, *known) != 0 })
}

/// What the system says of who runs this process; u64 for its alignment.
struct Token(Vec<u64>);

fn me() -> io::Result<Token> {
    let mut handle = null_mut();
    let mut needed = 0;
    // SAFETY: a pseudo handle; a place for the token's, which is closed when it is dropped; first the length is asked for, then
    // so many bytes are there to be written.
    unsafe {
        if OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &raw mut handle) == 0 {
            return Err(io::Error::last_os_error());
        }
        let _closed_at_the_end = OwnedHandle::from_raw_handle(handle.cast());
        GetTokenInformation(handle, TokenUser, null_mut(), 0, &raw mut needed);
        let mut user = vec![0u64; (needed as usize).div_ceil(8).max(1)];
        if GetTokenInformation(handle, TokenUser, user.as_mut_ptr().cast(), needed, &raw mut needed) == 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Token(user))
    }
}

impl Token {
    fn sid(&self) -> PSID {
        // SAFETY: it was filled with this structure, whose pointer leads into the same memory.
        unsafe { (*self.0.as_ptr().cast::<TOKEN_USER>()).User.Sid }
    }

    /// As lists are written: `S-1-5-21-...`.
    fn text(&self) -> io::Result<String> {
        let mut text = null_mut();
        // SAFETY: the id is whole, there is a place for the pointer; the text is NUL-terminated and freed once.
        unsafe {
            if ConvertSidToStringSidW(self.sid(), &raw mut text) == 0 {
                return Err(io::Error::last_os_error());
            }
            let length = (0..).take_while(|index| *text.add(*index) != 0).count();
            let words = String::from_utf16_lossy(std::slice::from_raw_parts(text, length));
            LocalFree(text.cast());
            Ok(words)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder's list, as text.
    fn list_of(folder: &Path) -> String {
        let mut options = OpenOptions::new();
        let folder = options.access_mode(READ_CONTROL).custom_flags(FILE_FLAG_BACKUP_SEMANTICS).open(folder).unwrap();
        let rights = Rights::of(&folder).unwrap();
        let (mut text, mut units) = (null_mut(), 0);
        // SAFETY: the descriptor is whole, and there are places for pointer and length; the text is freed once.
        unsafe {
            let (of, what) = (rights._descriptor.0, DACL_SECURITY_INFORMATION);
            let told =
                ConvertSecurityDescriptorToStringSecurityDescriptorW(of, SDDL_REVISION_1, what, &raw mut text, &raw mut units);
            assert_ne!(told, 0, "{}", io::Error::last_os_error());
            let words = String::from_utf16_lossy(std::slice::from_raw_parts(text, units as usize));
            LocalFree(text.cast());
            words
        }
    }

    #[test]
    fn only_the_folder_itself_is_private_and_those_above_it_are_as_any_program_makes_them() {
        let lab = std::env::temp_dir().join(format!("rheed-lab-{}", uuid::Uuid::now_v7()));
        let (spool, other) = (lab.join("rheed/spool"), lab.join("other"));
        create_private_folder(&spool).unwrap();
        fs::create_dir(&other).unwrap();
        assert_eq!(list_of(&lab.join("rheed")), list_of(&other));
        assert_ne!(list_of(&spool), list_of(&other));
        fs::write(spool.join("file"), "made by its owner").unwrap();
        assert_eq!(exposure(&spool), None);
        fs::remove_dir_all(lab).unwrap();
    }
}
