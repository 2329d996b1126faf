package main

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/uuid"
)

// writeSBOM writes which modules the binary of a platform says that it was built from, with their licences, in CycloneDX's form.
func (r *release) writeSBOM(p platform) error {
	info, err := buildinfo.ReadFile(p.binary)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(p.binary)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(data)
	main := r.component(cyclonedx.ComponentTypeApplication, info.Main.Path, "v"+r.version)
	main.Licenses = &cyclonedx.Licenses{{License: &cyclonedx.License{ID: "Apache-2.0"}}}
	main.Hashes = &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA256, Value: fmt.Sprintf("%x", sum)}}
	components := []cyclonedx.Component{r.component(cyclonedx.ComponentTypeLibrary, "std", info.GoVersion)}
	for _, d := range info.Deps {
		components = append(components, r.component(cyclonedx.ComponentTypeLibrary, d.Path, d.Version))
	}
	var refs []string
	for _, c := range components {
		refs = append(refs, c.BOMRef)
	}
	bom := cyclonedx.NewBOM()
	bom.SerialNumber = uuid.NewSHA1(uuid.NameSpaceURL, sum[:]).URN() // the same for the same binary
	bom.Metadata = &cyclonedx.Metadata{Timestamp: r.date.Format(time.RFC3339), Component: &main}
	bom.Components = &components
	bom.Dependencies = &[]cyclonedx.Dependency{{Ref: main.BOMRef, Dependencies: &refs}}
	var b bytes.Buffer
	encoder := cyclonedx.NewBOMEncoder(&b, cyclonedx.BOMFileFormatJSON).SetPretty(true)
	if err := encoder.EncodeVersion(bom, cyclonedx.SpecVersion1_6); err != nil {
		return err
	}
	return write(filepath.Join(r.dist, r.name(p)+".cdx.json"), b.Bytes())
}

func (r *release) component(kind cyclonedx.ComponentType, path, version string) cyclonedx.Component {
	purl := fmt.Sprintf("pkg:golang/%s@%s", strings.ToLower(path), version)
	c := cyclonedx.Component{BOMRef: purl, Type: kind, Name: path, Version: version, PackageURL: purl}
	for _, m := range r.modules {
		if m.Path == path {
			var all cyclonedx.Licenses
			for _, id := range m.IDs {
				all = append(all, cyclonedx.LicenseChoice{License: &cyclonedx.License{ID: id}})
			}
			c.Licenses = &all
		}
	}
	return c
}
