package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
)

// annotation keeps beside a flag where its value comes from.
const annotation = "tracemig_origin"

// Default is the origin of a value that nobody gave.
const Default = "default"

// Origin says where the value of a flag comes from: "--profile", "TRACEMIG_PROFILE", "tracemig.yaml:12" or "default".
func Origin(f *pflag.Flag) string {
	switch from := f.Annotations[annotation]; {
	case len(from) > 0:
		return from[0]
	case f.Changed:
		return "--" + f.Name
	}
	return Default
}

// CommandLine are the values that were given on the command line.
func CommandLine(f *pflag.FlagSet) map[string]string {
	given := map[string]string{}
	f.Visit(func(flag *pflag.Flag) {
		if Origin(flag) == "--"+flag.Name {
			given[flag.Name] = flag.Value.String()
		}
	})
	return given
}

// Variable is the environment variable that has a flag's value.
func Variable(flag string) string { return "TRACEMIG_" + strings.ToUpper(Key(flag)) }

// SetFromEnvironment sets the flags that were not given to the values of their variables. A variable that is empty counts as unset.
// Its errors name the variables.
func SetFromEnvironment(f *pflag.FlagSet, getenv func(string) string) (failed []error) {
	given := givenIn(f)
	f.VisitAll(func(flag *pflag.Flag) {
		name := Variable(flag.Name)
		value := getenv(name)
		if value == "" || !OfEnvironment(flag.Name) || !given.free(flag.Name) {
			return
		}
		if err := set(f, flag.Name, value, name); err != nil {
			failed = append(failed, fmt.Errorf("%s %w", name, err))
		}
	})
	return failed
}

// OfEnvironment says whether a flag can be given by a variable. Those that print something in place of a command can't.
func OfEnvironment(flag string) bool { return flag != "help" && flag != "version" }

// Set sets the flags that were not given to the values of a pair. Flags that f does not have are left out.
func (file *File) Set(f *pflag.FlagSet, p Pair) (problems Problems) {
	for name, err := range file.set(f, p.Settings) {
		p.Wrong[name] = true
		problems = append(problems, Problem{File: file.Path, Line: p.Settings[name].Line, Pair: p.Name, Text: Key(name) + " " + err.Error()})
	}
	return problems.Sorted()
}

// SetDefaults is Set for the defaults. What is wrong with them Set tells, since pairs have them too.
func (file *File) SetDefaults(f *pflag.FlagSet) { file.set(f, file.Defaults) }

// set sets flags, and gives the errors of those that can't have the value that the file has for them.
func (file *File) set(f *pflag.FlagSet, settings map[string]Setting) map[string]error {
	given, failed := givenIn(f), map[string]error{}
	for name, s := range settings {
		if f.Lookup(name) == nil || !given.free(name) {
			continue
		}
		if err := set(f, name, s.Value, file.At(s.Line)); err != nil {
			failed[name] = err
		}
	}
	return failed
}

// givenFlags are the flags that have values already, from something stronger.
type givenFlags map[string]bool

func givenIn(f *pflag.FlagSet) givenFlags {
	given := givenFlags{}
	f.Visit(func(flag *pflag.Flag) { given[flag.Name] = true })
	return given
}

// free says whether a flag has no value, and none that takes its place.
func (g givenFlags) free(flag string) bool {
	return !g[flag] && !slices.ContainsFunc(displacedBy[flag], func(other string) bool { return g[other] })
}

// set sets a flag and notes where the value comes from. The error says what is wrong with the value.
func set(f *pflag.FlagSet, name, value, from string) error {
	err := f.Set(name, value)
	if err != nil {
		flag := f.Lookup(name)
		_ = flag.Value.Set(flag.DefValue) // some have a part of the value
	}
	if invalid, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return errors.New(BadValue(invalid))
	}
	if err != nil {
		return err
	}
	return f.SetAnnotation(name, annotation, []string{from})
}

// BadValue says what the value of a flag is not, in words that follow the name of the flag.
func BadValue(e *pflag.InvalidValueError) string {
	value, cause := strconv.Quote(e.GetValue()), e.Unwrap()
	switch e.GetFlag().Value.Type() {
	case "bool":
		return value + " is neither true nor false"
	case "int", "int64":
		if errors.Is(cause, strconv.ErrRange) {
			return value + " is too large a number"
		}
		return value + " is no whole number"
	}
	if strings.HasPrefix(cause.Error(), value) {
		return cause.Error() // values of our own types say it with the value
	}
	return value + " " + cause.Error()
}

// flagName matches a flag in the text of an error.
var flagName = regexp.MustCompile(`--([a-z][a-z-]*[a-z])`)

// Named are the flags that an error of a command names, as far as f has them, in the order in which they are named.
func Named(f *pflag.FlagSet, text string) (flags []*pflag.Flag) {
	for _, m := range flagName.FindAllStringSubmatch(text, -1) {
		if flag := f.Lookup(m[1]); flag != nil && !slices.Contains(flags, flag) {
			flags = append(flags, flag)
		}
	}
	return flags
}

// InFile is the text of an error with the flags of f as a file names them: by their variables where the values come from the
// environment, by their keys else.
func InFile(f *pflag.FlagSet, text string) string {
	return flagName.ReplaceAllStringFunc(text, func(name string) string {
		switch flag := f.Lookup(strings.TrimPrefix(name, "--")); {
		case flag == nil, Origin(flag) == name:
			return name
		case Origin(flag) == Variable(flag.Name):
			return Variable(flag.Name)
		default:
			return Key(flag.Name)
		}
	})
}
