// Command write writes the licences of what is in the binary for a platform, for an image: write linux/amd64 FOLDER.
package main

import (
	"fmt"
	"os"

	"github.com/tracemig/tracemig/release/licences"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: write linux/amd64 FOLDER")
		os.Exit(2)
	}
	modules, err := licences.Collect("..", "./cmd/tracemig", []string{os.Args[1]})
	if err == nil {
		err = licences.Write(os.Args[2], modules)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
