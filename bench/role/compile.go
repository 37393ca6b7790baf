package role

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// workerSource is the C worker, from the root of the repository.
const workerSource = "sdk/c/bench/worker.c"

// BuildCWorker builds the C worker into a folder, and returns the program.
func BuildCWorker(dir string) (string, error) {
	root, err := Repository()
	if err != nil {
		return "", err
	}
	program := filepath.Join(dir, "worker")
	return program, Compile("-std=gnu11", "-O2", "-I", filepath.Join(root, "sdk/c/include"), "-o", program,
		filepath.Join(root, workerSource), "-pthread")
}

// Compile calls the C compiler.
func Compile(args ...string) error {
	cc, err := compiler()
	if err != nil {
		return err
	}
	if out, err := exec.Command(cc, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", cc, err, out)
	}
	return nil
}

// compiler returns the C compiler.
func compiler() (string, error) {
	for _, name := range []string{os.Getenv("CC"), "cc", "gcc", "clang"} {
		if path, err := exec.LookPath(name); name != "" && err == nil {
			return path, nil
		}
	}
	return "", errors.New("no C compiler")
}

// Repository returns the root of the repository: the nearest one above the working
// directory, or above our program.
func Repository() (string, error) {
	here, _ := os.Getwd()
	self, _ := os.Executable()
	for _, dir := range []string{here, filepath.Dir(self)} {
		for ; dir != "/" && dir != "."; dir = filepath.Dir(dir) {
			if _, err := os.Stat(filepath.Join(dir, workerSource)); err == nil {
				return dir, nil
			}
		}
	}
	return "", errors.New("the sources are not here: run it in a folder of the repository")
}
