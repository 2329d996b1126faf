package licences

import (
	"os"
	"strings"
	"testing"
)

// TestLicences holds all that is in the binary, on each platform, against the list of allowed licences.
func TestLicences(t *testing.T) {
	platforms := []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64", "windows/arm64"}
	modules, err := Collect("../..", "./cmd/tracemig", platforms)
	if err != nil {
		t.Fatal(err)
	}
	if err := Check(modules); err != nil {
		t.Error(err)
	}
	if len(modules) < 40 {
		t.Errorf("%d modules were found, want at least 40", len(modules))
	}
	own, err := os.ReadFile("../../LICENSE")
	if err != nil {
		t.Fatal(err)
	}
	project := &Module{Path: "github.com/tracemig/tracemig", Files: map[string][]byte{"LICENSE": own}}
	if project.recognize(); len(project.IDs) != 1 || project.IDs[0] != "Apache-2.0" {
		t.Errorf("the project's own licence is recognized as %v, want Apache-2.0", project.IDs)
	}
	used := map[string]bool{}
	for _, m := range modules {
		for _, id := range m.IDs {
			used[m.Path+" "+id] = true
		}
	}
	for path, ids := range exceptions {
		for id := range ids {
			if !used[path+" "+id] {
				t.Errorf("there is an exception for %s in %s, which the binary does not contain", id, path)
			}
		}
	}
}

// TestCheck holds that a licence that is not allowed, not known or not there is found.
func TestCheck(t *testing.T) {
	apache, err := os.ReadFile("../../LICENSE")
	if err != nil {
		t.Fatal(err)
	}
	gpl := "This program is free software: you can redistribute it and/or modify it under the terms of the GNU General Public License as " +
		"published by the Free Software Foundation, either version 3 of the License, or (at your option) any later version."
	for name, try := range map[string]struct {
		files map[string]string
		want  string // in the error; empty for none
	}{
		"allowed":           {map[string]string{"LICENSE": string(apache)}, ""},
		"copyleft":          {map[string]string{"COPYING": gpl}, "GPL-3.0"},
		"copyleft below":    {map[string]string{"LICENSE": string(apache), "sub/LICENSE.md": gpl}, "GPL-3.0"},
		"not known":         {map[string]string{"LICENCE.txt": "Do what I say."}, "no licence"},
		"not there":         {nil, "no licence"},
		"only in a notice":  {map[string]string{"NOTICE": string(apache)}, "no licence"},
		"MPL of some other": {map[string]string{"LICENSE": "Mozilla Public License, version 2.0\n\n" + mpl}, "MPL-2.0"},
	} {
		m := &Module{Path: "example.com/m", Version: "v1.0.0", Files: map[string][]byte{}}
		for file, text := range try.files {
			m.Files[file] = []byte(text)
		}
		m.recognize()
		err := Check([]*Module{m})
		if try.want == "" && err != nil || try.want != "" && (err == nil || !strings.Contains(err.Error(), try.want)) {
			t.Errorf("%s: %v, want %q", name, err, try.want)
		}
	}
}

const mpl = "This Source Code Form is subject to the terms of the Mozilla Public License, v. 2.0. If a copy of the MPL was not " +
	"distributed with this file, You can obtain one at https://mozilla.org/MPL/2.0/."
