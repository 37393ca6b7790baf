package supervise

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/landlock-lsm/go-landlock/landlock"
	kernel "github.com/landlock-lsm/go-landlock/landlock/syscall"
)

// readable is what every program in a sandbox may read, and run, as far as it is there:
// programs and libraries, settings such as those of the resolver, and what the kernel tells.
var readable = []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix/store", "/etc", "/proc", "/sys",
	"/run/systemd/resolve"}

// devices are those that every program in a sandbox may use.
var devices = []string{"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"}

// rights are what may be done to files, or to folders with all that is in them.
type rights = landlock.AccessFSSet

const (
	fileRead   = rights(kernel.AccessFSReadFile | kernel.AccessFSExecute)
	folderRead = fileRead | kernel.AccessFSReadDir
	fileWrite  = rights(kernel.AccessFSReadFile | kernel.AccessFSWriteFile | kernel.AccessFSTruncate)
	// Devices cannot be made: whoever may make one could write to the disk. What is written
	// cannot be run, unless it may be read as well.
	folderWrite = fileWrite | kernel.AccessFSReadDir | kernel.AccessFSRemoveDir | kernel.AccessFSRemoveFile |
		kernel.AccessFSMakeDir | kernel.AccessFSMakeReg | kernel.AccessFSMakeSock | kernel.AccessFSMakeFifo |
		kernel.AccessFSMakeSym
	deviceUse = fileWrite | kernel.AccessFSIoctlDev
)

// fileRules returns the rules about files for a command.
func (b *Sandbox) fileRules(command *exec.Cmd, abi int) (list []landlock.Rule, err error) {
	allow := func(paths []string, file, folder rights, required bool) {
		for _, path := range paths {
			info, problem := os.Stat(path)
			switch {
			case problem == nil && info.IsDir():
				list = append(list, landlock.PathAccess(folder, path))
			case problem == nil:
				list = append(list, landlock.PathAccess(file, path))
			case required:
				err = errors.Join(err, plainPathError(problem))
			}
		}
	}
	writable := folderWrite
	if abi >= abiMove {
		writable |= kernel.AccessFSRefer
	}
	allow(readable, fileRead, folderRead, false)
	allow(devices, deviceUse, deviceUse, false)
	allow(neededBy(command), fileRead, folderRead, false)
	allow(b.Read, fileRead, folderRead, true)
	allow(b.Write, fileWrite, writable, true)
	return list, err
}

// plainPathError returns an error of a file without the name of the system call.
func plainPathError(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return fmt.Errorf("%s: %w", path.Path, path.Err)
	}
	return err
}

// searched are the variables that tell programs where libraries are: lists of files and folders.
var searched = []string{"PYTHONPATH", "LD_LIBRARY_PATH", "UPLOAD_RESPONSE_LIBRARY"}

// neededBy returns what a command itself has to read: its program, the Python that belongs to
// it, its folder, and its libraries. The working directory is left out if it is that of a
// service manager, /.
func neededBy(command *exec.Cmd) []string {
	list := append([]string{command.Path}, pythonOf(command.Path)...)
	folder := command.Dir
	if folder == "" {
		folder = "."
	}
	if whole, err := filepath.Abs(folder); err == nil && whole != "/" {
		list = append(list, whole)
	}
	for _, name := range searched {
		i := len(command.Env) - 1 // the last one counts
		for i >= 0 && !strings.HasPrefix(command.Env[i], name+"=") {
			i--
		}
		if i < 0 {
			continue
		}
		for _, path := range filepath.SplitList(command.Env[i][len(name)+1:]) {
			if !filepath.IsAbs(path) {
				path = filepath.Join(folder, path)
			}
			list = append(list, path)
		}
	}
	return slices.DeleteFunc(list, func(path string) bool { return path == "" || filepath.Clean(path) == "/" })
}

// pythonOf returns the folders of the installation that a program is from, if it is a Python, or
// belongs to a virtual environment: that environment, and the Python that has made it.
func pythonOf(program string) (list []string) {
	folder := filepath.Dir(program)
	python := program
	if _, err := os.Stat(filepath.Join(filepath.Dir(folder), "pyvenv.cfg")); err == nil {
		list = append(list, filepath.Dir(folder))
		python = filepath.Join(folder, "python")
	}
	real, err := filepath.EvalSymlinks(python)
	if err != nil {
		return list
	}
	prefix := filepath.Dir(filepath.Dir(real))
	if _, err := os.Stat(filepath.Join(prefix, "lib", filepath.Base(real))); err == nil { // such as lib/python3.13
		list = append(list, prefix)
	}
	return list
}
