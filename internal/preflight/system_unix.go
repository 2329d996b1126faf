//go:build linux || darwin

package preflight

import "syscall"

// diskFree is how many bytes of the file system at path are free for this user.
func diskFree(path string) (uint64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(path, &st); err != nil {
		return 0, err
	}
	return st.Bavail * uint64(st.Bsize), nil
}

// access says whether this user may write to a file or into a folder.
func access(path string) error {
	const write = 2
	return syscall.Access(path, write)
}
