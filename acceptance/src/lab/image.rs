//! The guest image: Debian's cloud kernel, busybox, glibc, in a disk that boots by itself. Kept in the cache by version.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::external::{finish, run};
use super::{Error, Lab, embedded};

const FOLDERS: [&str; 12] = [
    "bin",
    "dev",
    "etc/acpi/PWRF",
    "lib/modules",
    "lib64",
    "mnt",
    "proc",
    "root",
    "run",
    "sys",
    "tmp",
    "www/cgi-bin",
];

/// The image's file, built if it isn't in the cache.
pub(crate) fn build(lab: &Lab) -> Result<PathBuf, Error> {
    let cache = lab.place.cache();
    let package = kernel_package(cache)?;
    let image = cache.join(format!(
        "guest-{}-{}.img",
        embedded::digest(&["image/"]),
        kernel_version(&package)
    ));
    if image.exists() {
        return Ok(image);
    }
    let work = cache.join("guest-work");
    let _ = fs::remove_dir_all(&work);
    let root = work.join("root");
    for folder in FOLDERS {
        make(&root.join(folder))?;
    }
    let unpacked = work.join("package");
    run(&["dpkg-deb", "-x", &show(&package), &show(&unpacked)])?;
    modules(&unpacked, &root)?;
    programs(&root)?;
    own_files(&root)?;
    let kernel = entry_starting(&unpacked.join("boot"), "vmlinuz-")?;
    copy(&kernel, &work.join("vmlinuz"))?;
    let initrd = work.join("initrd");
    let pack = "cd \"$1\" && find . | sort | cpio -o -H newc -R 0:0 --quiet | gzip -1 >\"$2\"";
    run(&["sh", "-euc", pack, "sh", &show(&root), &show(&initrd)])?;
    disk(&work, &image)?;
    fs::remove_dir_all(&work).map_err(Error::io(format!("remove {}", work.display())))?;
    Ok(image)
}

fn kernel_package(cache: &Path) -> Result<PathBuf, Error> {
    make(cache)?;
    if let Ok(there) = entry_starting(cache, "linux-image-") {
        return Ok(there);
    }
    // Lists of packages that are too old name files that are no longer served.
    download_kernel(cache).or_else(|_| {
        run(&["apt-get", "update", "-q"])?;
        download_kernel(cache)
    })?;
    entry_starting(cache, "linux-image-")
}

fn download_kernel(cache: &Path) -> Result<(), Error> {
    let depends = run(&["apt-cache", "depends", "linux-image-cloud-amd64"])?;
    let name = depends
        .split_whitespace()
        .find(|word| word.starts_with("linux-image-6"));
    let name =
        name.ok_or_else(|| Error::Machine("apt knows no cloud kernel for the guests".into()))?;
    finish(
        Command::new("apt-get")
            .args(["download", "-q", name])
            .current_dir(cache),
    )
    .map(drop)
}

fn kernel_version(package: &Path) -> String {
    let name = package
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    name.trim_start_matches("linux-image-")
        .split('_')
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// Modules with what they depend on, numbered in load order.
fn modules(unpacked: &Path, root: &Path) -> Result<(), Error> {
    let folder = entry_starting(&unpacked.join("lib/modules"), "")?;
    let version = folder
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    run(&["depmod", "-b", &show(unpacked), &version])?;
    let wanted = embedded::file("image/modules.txt").unwrap_or_default();
    let mut files: Vec<String> = Vec::new();
    for name in wanted.lines().filter(|line| !line.starts_with('#')) {
        let steps = run(&[
            "modprobe",
            "-d",
            &show(unpacked),
            "-S",
            &version,
            "--show-depends",
            name,
        ])?;
        for file in steps
            .lines()
            .filter_map(|line| line.strip_prefix("insmod "))
        {
            let file = file.trim().to_owned();
            if !files.contains(&file) {
                files.push(file);
            }
        }
    }
    for (number, file) in (10..).zip(&files) {
        let name = Path::new(file)
            .file_name()
            .unwrap_or_default()
            .to_string_lossy();
        copy(
            Path::new(file),
            &root.join(format!("lib/modules/{number}-{name}")),
        )?;
    }
    Ok(())
}

/// busybox, and the programs of the list with their libraries at the paths where the loader looks.
fn programs(root: &Path) -> Result<(), Error> {
    copy(Path::new("/bin/busybox"), &root.join("bin/busybox"))?;
    for shell in ["sh", "ash"] {
        run(&["ln", "-sf", "busybox", &show(&root.join("bin").join(shell))])?;
    }
    let listed = embedded::file("image/programs.txt").unwrap_or_default();
    for line in listed.lines().filter(|line| !line.starts_with('#')) {
        let Some((program, target)) = line.split_once(' ') else {
            continue;
        };
        if target != "-" {
            copy(Path::new(program), &root.join(target))?;
        }
        for library in run(&["ldd", program])?
            .split_whitespace()
            .filter(|word| word.starts_with('/'))
        {
            let target = root.join(library.trim_start_matches('/'));
            if let Some(folder) = target.parent() {
                make(folder)?;
            }
            copy(Path::new(library), &target)?;
        }
    }
    copy(Path::new("/etc/mke2fs.conf"), &root.join("etc/mke2fs.conf"))
}

fn own_files(root: &Path) -> Result<(), Error> {
    for (name, target, mode) in [
        ("image/init", "init", "755"),
        ("image/udhcpc.sh", "etc/udhcpc.sh", "755"),
        ("image/status.cgi", "www/cgi-bin/status", "755"),
        ("image/poweroff", "etc/acpi/PWRF/00000080", "755"),
        ("image/passwd", "etc/passwd", "644"),
        ("image/hosts", "etc/hosts", "644"),
        ("image/nsswitch.conf", "etc/nsswitch.conf", "644"),
    ] {
        let target = root.join(target);
        let doing = Error::io(format!("write {}", target.display()));
        fs::write(&target, embedded::file(name).unwrap_or_default()).map_err(doing)?;
        run(&["chmod", mode, &show(&target)])?;
    }
    Ok(())
}

/// A FAT disk that syslinux boots, made beside its place and moved there whole.
fn disk(work: &Path, image: &Path) -> Result<(), Error> {
    let size = |name: &str| {
        fs::metadata(work.join(name))
            .map(|file| file.len())
            .unwrap_or_default()
    };
    let mib = (size("vmlinuz") + size("initrd")) / 1_048_576 + 3;
    let raw = show(&work.join("disk.img"));
    let config = work.join("syslinux.cfg");
    let doing = Error::io(format!("write {}", config.display()));
    fs::write(
        &config,
        embedded::file("image/syslinux.cfg").unwrap_or_default(),
    )
    .map_err(doing)?;
    run(&["truncate", "-s", &format!("{mib}M"), &raw])?;
    run(&["mkfs.vfat", "-F", "16", "-s", "4", "-n", "MKYS", &raw])?;
    run(&["syslinux", "--install", &raw])?;
    let file = |name: &str| show(&work.join(name));
    run(&[
        "mcopy",
        "-i",
        &raw,
        &file("syslinux.cfg"),
        &file("vmlinuz"),
        &file("initrd"),
        "::",
    ])?;
    fs::rename(&raw, image).map_err(Error::io(format!("write {}", image.display())))
}

fn entry_starting(folder: &Path, start: &str) -> Result<PathBuf, Error> {
    let doing = || Error::io(format!("look into {}", folder.display()));
    fs::read_dir(folder)
        .map_err(doing())?
        .flatten()
        .find(|entry| entry.file_name().to_string_lossy().starts_with(start))
        .map(|entry| entry.path())
        .ok_or_else(|| doing()(std::io::Error::other(format!("nothing named {start}*"))))
}

fn make(folder: &Path) -> Result<(), Error> {
    fs::create_dir_all(folder).map_err(Error::io(format!("make {}", folder.display())))
}

fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    fs::copy(from, to)
        .map(drop)
        .map_err(Error::io(format!("copy {}", from.display())))
}

fn show(path: &Path) -> String {
    path.display().to_string()
}
