package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/tracemig/tracemig/internal/advice"
)

// The limits of a file. One that a person or a program has written on purpose is far below.
const (
	maxBytes = 4 << 20
	maxPairs = 10_000
	maxNodes = 1_000_000 // looked at, so that aliases within aliases come to an end
)

// Read reads the file at path. The problems are all that is wrong with it, by line; the file has what is right. The error says
// that it can't be read.
func Read(path string, keys Keys) (*File, Problems, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, advice.With(fmt.Errorf("the file of pairs: %w", err), "Name one with --config")
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err != nil {
		return nil, nil, fmt.Errorf("the file of pairs: %w", err)
	}
	if len(text) > maxBytes {
		return nil, nil, advice.With(fmt.Errorf("the file of pairs %s has more than %d MiB", path, maxBytes>>20),
			"Name the file of pairs, or part it in two")
	}
	file, problems := Parse(path, text, keys)
	return file, problems, nil
}

// Parse is Read for the text of the file at path.
func Parse(path string, text []byte, keys Keys) (*File, Problems) {
	p := &parser{file: &File{Path: path, Defaults: map[string]Setting{}}, keys: keys, wrongDefaults: map[string]bool{}}
	p.parse(text)
	return p.file, p.problems.Sorted()
}

type parser struct {
	file     *File
	keys     Keys
	problems Problems
	pair     string // name of the one that is read
	nodes    int

	wrongDefaults map[string]bool // flags whose defaults can't be used
}

func (p *parser) problem(line int, suggestion, format string, args ...any) {
	p.problems = append(p.problems, Problem{
		File: p.file.Path, Line: line, Pair: p.pair, Text: fmt.Sprintf(format, args...), Suggestion: suggestion,
	})
}

// yamlLine finds the line in an error of the YAML library, whose text is "yaml: line 3: did not find expected key".
var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

func (p *parser) parse(text []byte) {
	var doc, second yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(text))
	err := d.Decode(&doc)
	if err == nil && len(doc.Content) > 0 {
		if err = d.Decode(&second); err == nil {
			p.problem(second.Line, "leave it out", "a second document begins here, and the file has one")
		}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		at := yamlLine.FindStringSubmatch(err.Error())
		line := 0
		if at != nil {
			line, _ = strconv.Atoi(at[1])
		}
		p.problem(line, "", "it is no YAML: %s", yamlLine.ReplaceAllString(err.Error(), ""))
		return
	}
	if len(doc.Content) == 0 || empty(doc.Content[0]) {
		p.problem(0, "write pairs: with a name, a source and a target for each", "the file is empty")
		return
	}
	p.top(doc.Content[0])
}

// top reads the document. The defaults come first, wherever they stand.
func (p *parser) top(n *yaml.Node) {
	var pairs *yaml.Node
	p.eachKey(n, "the file", func(key string, k, v *yaml.Node) {
		switch key {
		case "defaults":
			if !empty(v) {
				p.settings(v, "defaults", OfPair, p.file.Defaults, p.wrongDefaults)
			}
		case "pairs":
			pairs = v
		default:
			p.problem(k.Line, p.suggestTop(key), "unknown key %s", printable(key))
		}
	})
	switch {
	case pairs == nil:
		p.problem(0, "write pairs: with a name, a source and a target for each", "there are no pairs")
		return
	case pairs.Kind != yaml.SequenceNode:
		p.problem(pairs.Line, "begin each pair with a dash: - name: …", "pairs is no list")
		return
	case len(pairs.Content) == 0:
		p.problem(pairs.Line, "write a name, a source and a target for each", "there are no pairs")
	case len(pairs.Content) > maxPairs:
		p.problem(pairs.Line, "part the file, or name experiments by a pattern such as /Shared/agents/*",
			"there are %d pairs, and a file takes %d", len(pairs.Content), maxPairs)
		return
	}
	lines := map[string]int{}
	for _, n := range pairs.Content {
		p.onePair(n, lines)
	}
}

// onePair reads a pair. lines are those of the names that were read.
func (p *parser) onePair(n *yaml.Node, lines map[string]int) {
	pair := Pair{Line: n.Line, Settings: map[string]Setting{}, Wrong: map[string]bool{}}
	if resolved(n).Kind != yaml.MappingNode {
		p.problem(n.Line, "write name: …, source: … and target: …", "a pair is no list of keys and values")
		return
	}
	p.eachKey(n, "", func(key string, _, v *yaml.Node) {
		if key == "name" && resolved(v).Kind == yaml.ScalarNode {
			pair.Name = resolved(v).Value
		}
	})
	p.pair = printable(pair.Name)
	defer func() { p.pair = "" }()
	switch first, twice := lines[pair.Name]; {
	case pair.Name == "":
		p.problem(n.Line, "give it one: name: …", "the pair has no name")
	case !nameForm.MatchString(pair.Name):
		p.problem(n.Line, "use letters, digits, dots, dashes and underscores, at most 100", "the name is not of the form of one")
	case twice:
		p.problem(n.Line, "give it another", "the name is that of the pair in line %d too", first)
	default:
		lines[pair.Name] = n.Line
	}
	p.settings(n, "the pair", OfDefaults, pair.Settings, pair.Wrong)
	inherit(pair.Settings, p.file.Defaults)
	for flag := range p.wrongDefaults {
		if _, own := pair.Settings[flag]; !own {
			pair.Wrong[flag] = true
		}
	}
	p.file.Pairs = append(p.file.Pairs, pair)
}

// nameForm is that of a pair's name, which stands in log lines, in labels of metrics and in patterns of --only.
var nameForm = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$`)

// inherit adds those defaults to a pair's settings in whose place it has nothing.
func inherit(own, defaults map[string]Setting) {
	had := func(flag string) bool {
		_, ok := own[flag]
		return ok
	}
	var missing []string
	for flag := range defaults {
		if !had(flag) && !slices.ContainsFunc(displacedBy[flag], had) {
			missing = append(missing, flag)
		}
	}
	for _, flag := range missing {
		own[flag] = defaults[flag]
	}
}

// settings reads keys and values of where into into, and notes those that are wrong. not is the place of keys that don't belong there.
func (p *parser) settings(n *yaml.Node, where string, not Place, into map[string]Setting, wrong map[string]bool) {
	p.eachKey(n, where, func(key string, k, v *yaml.Node) {
		flag := strings.ReplaceAll(key, "_", "-")
		place, known := p.keys[flag]
		switch {
		case key == "name" && not == OfDefaults:
			return // read before the others
		case key == "name":
			p.problem(k.Line, "write it in each pair", "name can't be a default: it tells pairs apart")
			return
		case !known || strings.Contains(key, "-"):
			p.problem(k.Line, p.suggest(key), "unknown key %s", printable(key))
			return
		case place == not && not == OfPair:
			p.problem(k.Line, "write it in each pair", "%s can't be a default: pairs can't share it", key)
			return
		case place == not:
			p.problem(k.Line, "write it in the defaults", "%s is the same for all pairs", key)
			return
		}
		if text, ok := p.text(key, v); ok {
			into[flag] = Setting{Value: text, Line: v.Line}
		} else {
			wrong[flag] = true
		}
	})
}

// text is a value as it is written. Numbers and times are not read as such: an experiment's ID keeps all of its digits.
func (p *parser) text(key string, v *yaml.Node) (string, bool) {
	line := v.Line
	v = resolved(v)
	switch {
	case v.Kind == yaml.MappingNode:
		p.problem(line, "write one value", "%s has keys and values below it", key)
	case v.Kind == yaml.SequenceNode:
		p.problem(line, "write one value", "%s has a list", key)
	case empty(v):
		p.problem(line, `write one, or leave the line out; "" takes a default away`, "%s has no value", key)
	case v.Kind != yaml.ScalarNode || !slices.Contains([]string{"!!str", "!!int", "!!float", "!!bool", "!!timestamp"}, v.ShortTag()):
		p.problem(line, "write it without a tag", "%s has a value of the YAML type %s", key, printable(v.ShortTag()))
	case strings.ContainsFunc(v.Value, control):
		p.problem(line, "write it in one line", "%s has a line break or another control character in its value", key)
	default:
		return v.Value, true
	}
	return "", false
}

// eachKey calls do for each key of a mapping, those of merged ones (<<) after its own. Where what is "" it reports no problems.
func (p *parser) eachKey(n *yaml.Node, what string, do func(key string, k, v *yaml.Node)) {
	report := func(line int, suggestion, format string, args ...any) {
		if what != "" {
			p.problem(line, suggestion, format, args...)
		}
	}
	seen := map[string]bool{}
	var walk func(n *yaml.Node, merged int)
	walk = func(at *yaml.Node, merged int) {
		n := resolved(at)
		if n.Kind == yaml.SequenceNode && merged > 0 {
			for _, m := range n.Content {
				walk(m, merged+1)
			}
			return
		}
		if n.Kind != yaml.MappingNode {
			report(at.Line, "write keys and values: key: value", "%s has no keys", what)
			return
		}
		var merges []*yaml.Node
		own := map[string]int{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if p.nodes++; p.nodes > maxNodes || merged > 20 {
				return // what is merged within itself, or too often
			}
			k, v := n.Content[i], n.Content[i+1]
			if k.ShortTag() == "!!merge" {
				merges = append(merges, v)
				continue
			}
			key := resolved(k).Value
			first, twice := own[key]
			switch own[key] = k.Line; {
			case resolved(k).Kind != yaml.ScalarNode:
				report(k.Line, "", "a key is no text")
			case twice:
				report(k.Line, "leave one out", "%s is there twice, in line %d too", printable(key), first)
			case !seen[key]:
				seen[key] = true
				do(key, k, v)
			}
		}
		for _, m := range merges {
			walk(m, merged+1)
		}
	}
	walk(n, 0)
}

// resolved is the node that an alias stands for.
func resolved(n *yaml.Node) *yaml.Node {
	for range 10 {
		if n.Kind != yaml.AliasNode || n.Alias == nil {
			break
		}
		n = n.Alias
	}
	return n
}

func empty(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }
