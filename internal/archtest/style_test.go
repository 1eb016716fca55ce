package archtest

import (
	"cmp"
	"go/ast"
	"path"
	"slices"
	"strings"
)

// The measures of the house.
const (
	maxFileLines     = 400
	maxFunctionLines = 60
	maxStructFields  = 15
)

func style() []rule {
	return []rule{
		{"no init functions", (*module).initFunctions, nil},
		{"no package-level variable changes", (*module).variables, constants()},
		{"a package is named for what it provides", (*module).vagueNames, nil},
		{"every package has a package comment", (*module).uncommented, nil},
		{"no file is too long", (*module).longFiles, nil},
		{"no function is too long", (*module).longFunctions, nil},
		{"no struct has too many fields", (*module).wideStructs, nil},
		{"nothing sleeps outside a synctest bubble", (*module).sleeps, nil},
		{"what users run does not import testing", (*module).testing, nil},
		{"nothing panics for control flow", (*module).panics, panics()},
		{"only main ends the process", (*module).exits, nil},
	}
}

// panics lists where a panic is the contract of someone else's package.
func panics() map[string]string {
	const cut = "http.ErrAbortHandler is the way of net/http to cut a connection"
	return map[string]string{
		"internal/api.server.export": cut,
		"internal/api.server.catch":  cut,
	}
}

func (m *module) initFunctions() (all []finding) {
	m.eachFunction(func(f *file, fn *ast.FuncDecl) {
		if fn.Recv == nil && fn.Name.Name == "init" {
			all = append(all, m.found(fn.Pos(), f.path, "an init function runs without anybody asking"))
		}
	})
	return all
}

func (m *module) vagueNames() (all []finding) {
	vague := []string{"util", "utils", "common", "helper", "helpers", "misc", "shared", "base", "lib", "stuff"}
	for _, f := range m.files {
		name := strings.TrimSuffix(f.syntax.Name.Name, "_test")
		for _, part := range append(strings.Split(f.dir, "/"), name, strings.TrimSuffix(name, "test")) {
			if slices.Contains(vague, part) {
				all = append(all, m.found(f.syntax.Name.Pos(), f.dir, "%q says nothing about what package %s provides", part, f.dir))
			}
		}
	}
	return once(all)
}

// uncommented finds packages without a package comment; that of a package with
// only tests may stand in a test.
func (m *module) uncommented() (all []finding) {
	commented, shipped := map[string]bool{}, map[string]bool{}
	for _, f := range m.files {
		shipped[f.dir] = shipped[f.dir] || !f.inTest && !f.tool
	}
	for _, f := range m.files {
		if f.tool || f.inTest && shipped[f.dir] {
			continue
		}
		want := "Package " + strings.TrimSuffix(f.syntax.Name.Name, "_test") + " "
		if f.syntax.Name.Name == "main" {
			want = "Command " + path.Base(f.dir) + " "
		}
		commented[f.dir] = commented[f.dir] || strings.HasPrefix(f.syntax.Doc.Text(), want)
	}
	for _, f := range m.files {
		if !commented[f.dir] && !f.tool {
			all = append(all, m.found(f.syntax.Package, f.dir, "package %s has no package comment", f.dir))
		}
	}
	return once(all)
}

func (m *module) longFiles() (all []finding) {
	for _, f := range m.files {
		lines := m.fset.File(f.syntax.FileStart).LineCount()
		if lines > maxFileLines && !f.testOnly() && !ast.IsGenerated(f.syntax) {
			all = append(all, m.found(f.syntax.Package, f.path, "%d lines, %d at most", lines, maxFileLines))
		}
	}
	return all
}

func (m *module) longFunctions() (all []finding) {
	check := func(f *file, name string, n ast.Node) {
		lines := m.fset.Position(n.End()).Line - m.fset.Position(n.Pos()).Line + 1
		if lines > maxFunctionLines && !f.testOnly() && !ast.IsGenerated(f.syntax) {
			all = append(all, m.found(n.Pos(), f.dir+"."+name, "%s has %d lines, %d at most", name, lines, maxFunctionLines))
		}
	}
	for _, f := range m.files {
		for _, d := range f.syntax.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok {
				check(f, functionName(fn), fn)
				continue
			}
			ast.Inspect(d, func(n ast.Node) bool {
				if _, ok := n.(*ast.FuncLit); ok {
					check(f, "function literal", n)
				}
				return true
			})
		}
	}
	return all
}

func (m *module) wideStructs() (all []finding) {
	for _, f := range m.files {
		if f.testOnly() {
			continue
		}
		names := map[*ast.StructType]string{}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.TypeSpec:
				if s, ok := n.Type.(*ast.StructType); ok {
					names[s] = n.Name.Name
				}
			case *ast.StructType:
				if fields := countFields(n); fields > maxStructFields {
					name := cmp.Or(names[n], "an anonymous struct")
					all = append(all, m.found(n.Pos(), f.dir+"."+name, "%s has %d fields, %d at most", name, fields, maxStructFields))
				}
			}
			return true
		})
	}
	return all
}

func countFields(s *ast.StructType) (n int) {
	for _, field := range s.Fields.List {
		n += max(1, len(field.Names)) // an embedded field has no name
	}
	return n
}

// sleeps finds time.Sleep outside the function that synctest.Test runs. What
// waits for an event waits on a channel, and ends with its context.
func (m *module) sleeps() (all []finding) {
	bubbles := m.bubbleFunctions()
	for _, f := range m.files {
		for _, d := range f.syntax.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if ok && fn.Recv == nil && bubbles[f.dir+"."+fn.Name.Name] {
				continue
			}
			ast.Inspect(d, func(n ast.Node) bool {
				if name, ok := f.calls(n, "testing/synctest"); ok && name == "Test" {
					return false
				}
				if name, ok := f.calls(n, "time"); ok && name == "Sleep" {
					all = append(all, m.found(n.Pos(), f.path, "time.Sleep"))
				}
				return true
			})
		}
	}
	return all
}

// bubbleFunctions lists the functions that are given to synctest.Test by name.
func (m *module) bubbleFunctions() map[string]bool {
	names := map[string]bool{}
	for _, f := range m.files {
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			if name, ok := f.calls(n, "testing/synctest"); ok && name == "Test" {
				for _, arg := range n.(*ast.CallExpr).Args {
					if fn, ok := arg.(*ast.Ident); ok {
						names[f.dir+"."+fn.Name] = true
					}
				}
			}
			return true
		})
	}
	return names
}

func (m *module) testing() (all []finding) {
	for _, f := range m.files {
		if f.testOnly() {
			continue
		}
		for _, p := range f.imports {
			if p == "testing" || strings.HasPrefix(p, "testing/") || p == "net/http/httptest" {
				all = append(all, m.found(f.syntax.Package, f.path, "imports %s", p))
			}
		}
	}
	return all
}

// panics finds calls of panic in what users run: bad input, a dead neighbour
// and a full disk are errors.
func (m *module) panics() (all []finding) {
	m.eachFunction(func(f *file, fn *ast.FuncDecl) {
		if f.testOnly() {
			return
		}
		ast.Inspect(fn, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				if name, ok := call.Fun.(*ast.Ident); ok && name.Name == "panic" {
					all = append(all, m.found(n.Pos(), f.dir+"."+functionName(fn), "%s panics", functionName(fn)))
				}
			}
			return true
		})
	})
	return all
}

func (m *module) exits() (all []finding) {
	for _, f := range m.files {
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			os, _ := f.calls(n, "os")
			log, _ := f.calls(n, "log")
			if os == "Exit" || strings.HasPrefix(log, "Fatal") || strings.HasPrefix(log, "Panic") {
				if f.syntax.Name.Name != "main" && !f.inTest {
					all = append(all, m.found(n.Pos(), f.path, "ends the process"))
				}
			}
			return true
		})
	}
	return all
}

// clockReads finds where a file asks for the time or waits for it.
func (m *module) clockReads(f *file) (all []finding) {
	clocks := []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && f.imports[x.Name] == "time" && slices.Contains(clocks, sel.Sel.Name) {
				all = append(all, m.found(n.Pos(), "time."+sel.Sel.Name, "the law reads a clock: time.%s", sel.Sel.Name))
			}
		}
		return true
	})
	return all
}

func (m *module) eachFunction(visit func(*file, *ast.FuncDecl)) {
	for _, f := range m.files {
		for _, d := range f.syntax.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok {
				visit(f, fn)
			}
		}
	}
}

// functionName is Name, or Type.Name for a method.
func functionName(fn *ast.FuncDecl) string {
	if fn.Recv == nil || len(fn.Recv.List) == 0 {
		return fn.Name.Name
	}
	t := fn.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.ParenExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.Name + "." + fn.Name.Name
		default:
			return fn.Name.Name
		}
	}
}
