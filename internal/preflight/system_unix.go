//go:build linux || darwin

package preflight

import "syscall"

// diskFree is how many bytes of the file system at path are free for this user, and whether it takes more files. Some file
// systems have no limit for the number of files.
func diskFree(path string) (bytes uint64, files bool, err error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(path, &st); err != nil {
		return 0, false, err
	}
	return st.Bavail * uint64(st.Bsize), st.Files == 0 || st.Ffree > 0, nil
}

// access says whether this user may write to a file or into a folder.
func access(path string) error {
	const write = 2
	return syscall.Access(path, write)
}
