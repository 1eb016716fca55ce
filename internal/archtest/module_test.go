package archtest

import (
	"fmt"
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
)

// module is the source of a whole module.
type module struct {
	name     string          // module path
	requires map[string]bool // direct requirements of go.mod
	fset     *token.FileSet
	files    []*file // in the order of their paths
}

// file is one Go file.
type file struct {
	path    string            // from the module's root, with slashes
	dir     string            // of path; "." for the root
	syntax  *ast.File         // with comments
	imports map[string]string // local name to path; blank and dot imports by path
	inTest  bool              // a _test.go file
	tool    bool              // left out of every build by "//go:build ignore"
}

// testOnly reports whether the file is no part of what users run.
func (f *file) testOnly() bool { return f.inTest || isTestPackage(f.dir) }

// isTestPackage reports whether a folder is for tests only, by its name.
func isTestPackage(dir string) bool { return strings.HasSuffix(path.Base(dir), "test") }

// finding is one place that breaks a rule.
type finding struct {
	key  string // what an exception names
	at   string // file and line
	text string
}

func (m *module) found(at token.Pos, key, format string, args ...any) finding {
	p := m.fset.Position(at)
	return finding{key: key, at: fmt.Sprintf("%s:%d", p.Filename, p.Line), text: fmt.Sprintf(format, args...)}
}

// readModule reads the module whose go.mod is in folder root.
func readModule(root string) (*module, error) {
	text, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		return nil, err
	}
	sources := map[string]string{"go.mod": string(text)}
	err = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name != root && ignoredByGo(d.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasPrefix(d.Name(), ".") || strings.HasPrefix(d.Name(), "_") {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		sources[filepath.ToSlash(rel)] = string(text)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return newModule(sources)
}

// ignoredByGo reports whether the go command leaves a folder out of "./...".
func ignoredByGo(name string) bool {
	return name == "testdata" || name == "vendor" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")
}

// newModule parses sources, by path; "go.mod" is one of them.
func newModule(sources map[string]string) (*module, error) {
	m := &module{fset: token.NewFileSet()}
	m.name, m.requires = readGoMod(sources["go.mod"])
	for name, text := range sources {
		if name == "go.mod" {
			continue
		}
		syntax, err := parser.ParseFile(m.fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		m.files = append(m.files, &file{path: name, dir: path.Dir(name), syntax: syntax, imports: importsOf(syntax),
			inTest: strings.HasSuffix(name, "_test.go"), tool: isTool(syntax)})
	}
	sort.Slice(m.files, func(i, j int) bool { return m.files[i].path < m.files[j].path })
	return m, nil
}

// readGoMod returns the module path and the direct requirements.
func readGoMod(text string) (name string, requires map[string]bool) {
	requires = map[string]bool{}
	block := false
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
		case words[0] == "module":
			name = words[1]
		case words[0] == "require" && words[1] == "(":
			block = true
		case words[0] == ")":
			block = false
		case strings.HasSuffix(strings.TrimSpace(line), "// indirect"):
		case words[0] == "require":
			requires[words[1]] = true
		case block:
			requires[words[0]] = true
		}
	}
	return name, requires
}

func importsOf(f *ast.File) map[string]string {
	imports := map[string]string{}
	for _, spec := range f.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue // the parser has checked it
		}
		switch {
		case spec.Name == nil:
			imports[nameOf(p)] = p
		case spec.Name.Name == "_" || spec.Name.Name == ".":
			imports[p] = p
		default:
			imports[spec.Name.Name] = p
		}
	}
	return imports
}

// nameOf guesses the package name of an import path, as gofmt's friends do.
func nameOf(p string) string {
	base := path.Base(p)
	if len(base) > 1 && base[0] == 'v' && strings.Trim(base[1:], "0123456789") == "" && path.Dir(p) != "." {
		base = path.Base(path.Dir(p))
	}
	return strings.TrimPrefix(base, "go-")
}

func isTool(f *ast.File) bool {
	for _, group := range f.Comments {
		if group.Pos() > f.Package {
			return false
		}
		for _, c := range group.List {
			if x, err := constraint.Parse(c.Text); err == nil && x.String() == "ignore" {
				return true
			}
		}
	}
	return false
}

// calls reports whether e is a call of a function of the package with this
// import path, and of which.
func (f *file) calls(e ast.Node, importPath string) (name string, ok bool) {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return "", false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return "", false
	}
	x, ok := sel.X.(*ast.Ident)
	if !ok || f.imports[x.Name] != importPath {
		return "", false
	}
	return sel.Sel.Name, true
}
