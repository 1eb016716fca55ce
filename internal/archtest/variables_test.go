package archtest

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
)

// constants lists package-level variables that the rule cannot see through,
// with the reason why nothing of ours changes them.
func constants() map[string]string {
	return map[string]string{
		"internal/config.matching()": "returns a check of a text that keeps nothing",
		"internal/config.oneOf()":    "returns a check of a text that keeps nothing",
		"sip.prepareLibrary":         "a sync.OnceFunc: all it keeps is that it ran",
		"sip.checked":                "tests only: which of them have asked for the leak check already",
		"sip -> siplib.UDPMTUSize":   "sipgo has no other way to send a datagram of full size; set before its first goroutine",
	}
}

// variables finds package-level variables that change, or could: only errors,
// tables, embedded files, patterns and values that cannot be constants of the
// language stay, as long as nothing assigns to them.
func (m *module) variables() (all []finding) {
	for _, u := range m.units() {
		changed := u.changed()
		for _, f := range u.files {
			for _, d := range f.syntax.Decls {
				if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.VAR {
					all = append(all, m.judge(u, f, g, changed)...)
				}
			}
		}
		for _, e := range u.foreign {
			of := types.ExprString(e)
			all = append(all, m.found(e.Pos(), u.files[0].dir+" -> "+of, "changes %s, which is another package's", of))
		}
	}
	return all
}

// judge finds the variables of one declaration that do not stay as they are.
func (m *module) judge(u *unit, f *file, g *ast.GenDecl, changed map[types.Object]token.Pos) (all []finding) {
	for _, s := range g.Specs {
		spec := s.(*ast.ValueSpec)
		embedded := strings.Contains(text(spec.Doc)+text(g.Doc), "//go:embed ")
		for i, name := range spec.Names {
			key := f.dir + "." + name.Name
			at, isChanged := changed[u.info.Defs[name]]
			switch {
			case name.Name == "_":
			case isChanged:
				all = append(all, m.found(at, key, "%s is changed here, and declared at %s", name.Name, m.fset.Position(name.Pos())))
			case embedded:
			case len(spec.Values) == 0:
				all = append(all, m.found(name.Pos(), key, "%s has no value from the start", name.Name))
			case len(spec.Values) != len(spec.Names):
				all = append(all, m.found(name.Pos(), key, "%s shares its value with others", name.Name))
			case !f.fixed(spec.Values[i]) && !u.fixedPointer(f, spec.Values[i], changed):
				if maker := u.maker(spec.Values[i]); maker != "" {
					key = f.dir + "." + maker + "()"
				}
				all = append(all, m.found(name.Pos(), key, "%s is neither an error nor a table nor a value", name.Name))
			}
		}
	}
	return all
}

func text(g *ast.CommentGroup) (all string) {
	if g == nil {
		return ""
	}
	for _, c := range g.List {
		all += c.Text + "\n"
	}
	return all
}

// fixed reports whether a variable that starts as e stays so if nobody assigns
// to it: a table, or a call that makes a value.
func (f *file) fixed(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.ParenExpr:
		return f.fixed(e.X)
	case *ast.CompositeLit:
		return f.table(e)
	case *ast.CallExpr:
		return f.makesValue(e)
	}
	return false
}

// makesValue reports whether e calls a function whose result nobody can change.
func (f *file) makesValue(e *ast.CallExpr) bool {
	makers := map[string][]string{
		"errors":    {"New"},
		"fmt":       {"Errorf"},
		"regexp":    {"MustCompile"},
		"strings":   {"NewReplacer"},
		"time":      {"Date", "Unix", "UnixMilli"},
		"net/netip": {"MustParseAddr", "MustParseAddrPort", "MustParsePrefix", "AddrFrom4", "AddrFrom16", "AddrPortFrom", "PrefixFrom"},
		"reflect":   {"TypeFor"},
	}
	if f.inTest {
		makers["flag"] = []string{"Bool", "String"} // of a test that rewrites its golden files
		makers["sync"] = []string{"OnceValue", "OnceValues"}
	}
	for importPath, names := range makers {
		if name, ok := f.calls(e, importPath); ok && slices.Contains(names, name) {
			return true
		}
	}
	return false
}

// fixedPointer reports whether e points to a literal of constants of a type of
// this package, no field of which is ever written.
func (u *unit) fixedPointer(f *file, e ast.Expr, changed map[types.Object]token.Pos) bool {
	ref, ok := e.(*ast.UnaryExpr)
	if !ok || ref.Op != token.AND {
		return false
	}
	literal, ok := ref.X.(*ast.CompositeLit)
	if !ok || !f.table(literal) {
		return false
	}
	name, ok := literal.Type.(*ast.Ident)
	if !ok || u.info.Uses[name] == nil {
		return false
	}
	s, ok := u.info.Uses[name].Type().Underlying().(*types.Struct)
	if !ok {
		return false
	}
	for field := range s.Fields() {
		if _, written := changed[field]; written {
			return false
		}
	}
	return true
}

// maker names the function of this package that e calls.
func (u *unit) maker(e ast.Expr) string {
	if call, ok := e.(*ast.CallExpr); ok {
		if name, ok := call.Fun.(*ast.Ident); ok {
			if fn, ok := u.info.Uses[name].(*types.Func); ok {
				return fn.Name()
			}
		}
	}
	return ""
}

// table reports whether e is a constant or a literal of constants.
func (f *file) table(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.BasicLit, *ast.Ident, *ast.FuncLit:
		return true
	case *ast.SelectorExpr:
		_, ok := e.X.(*ast.Ident)
		return ok
	case *ast.ParenExpr:
		return f.table(e.X)
	case *ast.UnaryExpr:
		return e.Op != token.AND && e.Op != token.ARROW && f.table(e.X)
	case *ast.BinaryExpr:
		return f.table(e.X) && f.table(e.Y)
	case *ast.KeyValueExpr:
		return f.table(e.Key) && f.table(e.Value)
	case *ast.CompositeLit:
		return !slices.ContainsFunc(e.Elts, func(e ast.Expr) bool { return !f.table(e) })
	case *ast.CallExpr:
		return f.makesValue(e) || isConversion(e) && f.table(e.Args[0])
	}
	return false
}

// isConversion reports whether e looks like a conversion to a basic type.
func isConversion(e *ast.CallExpr) bool {
	name, ok := e.Fun.(*ast.Ident)
	if !ok || len(e.Args) != 1 {
		return false
	}
	_, ok = types.Universe.Lookup(name.Name).(*types.TypeName)
	return ok
}

// unit is one package as the compiler sees it, with its tests.
type unit struct {
	files   []*file
	info    *types.Info
	pkg     *types.Package
	foreign []ast.Expr // variables of other packages that are changed here
}

// units resolves the names of each package. What it imports stays unknown: that
// costs errors, which say nothing here, and no answer about its own variables.
func (m *module) units() (all []*unit) {
	type name struct{ dir, pkg string }
	byName := map[name]*unit{}
	for _, f := range m.files {
		n := name{f.dir, f.syntax.Name.Name}
		u := byName[n]
		if u == nil {
			u = &unit{info: &types.Info{Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{},
				Selections: map[*ast.SelectorExpr]*types.Selection{}}}
			byName[n] = u
			all = append(all, u)
		}
		u.files = append(u.files, f)
	}
	for _, u := range all {
		var files []*ast.File
		for _, f := range u.files {
			files = append(files, f.syntax)
		}
		conf := types.Config{Error: func(error) {}}
		u.pkg, _ = conf.Check(u.files[0].dir, m.fset, files, u.info)
	}
	return all
}

// changed lists the package-level variables and the fields that something in the
// unit assigns to, takes the address of, or hands to what writes into it.
func (u *unit) changed() map[types.Object]token.Pos {
	changed := map[types.Object]token.Pos{}
	mark := func(e ast.Expr) {
		for _, part := range u.parts(e) {
			switch o := part.(type) {
			case *types.Var:
				if o.IsField() || o.Parent() == u.pkg.Scope() {
					changed[o] = e.Pos()
				}
			case *types.PkgName:
				u.foreign = append(u.foreign, e)
			}
		}
	}
	for _, f := range u.files {
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			for _, e := range f.written(n) {
				mark(e)
			}
			if sel, ok := n.(*ast.SelectorExpr); ok && u.byAddress(sel) {
				mark(sel.X)
			}
			return true
		})
	}
	return changed
}

// written lists what n itself writes to, or may.
func (f *file) written(n ast.Node) []ast.Expr {
	switch n := n.(type) {
	case *ast.AssignStmt:
		return n.Lhs
	case *ast.IncDecStmt:
		return []ast.Expr{n.X}
	case *ast.RangeStmt:
		return slices.DeleteFunc([]ast.Expr{n.Key, n.Value}, func(e ast.Expr) bool { return e == nil })
	case *ast.UnaryExpr:
		if _, literal := n.X.(*ast.CompositeLit); n.Op == token.AND && !literal {
			return []ast.Expr{n.X}
		}
	case *ast.CallExpr:
		name, _ := n.Fun.(*ast.Ident)
		builtin := name != nil && slices.Contains([]string{"delete", "clear", "copy"}, name.Name)
		if len(n.Args) > 0 && (builtin || f.sorts(n)) {
			return n.Args[:1]
		}
	}
	return nil
}

// sorts reports whether a call changes its first argument in place.
func (f *file) sorts(call *ast.CallExpr) bool {
	inSlices, _ := f.calls(call, "slices")
	inMaps, _ := f.calls(call, "maps")
	_, inSort := f.calls(call, "sort")
	return inSort || inSlices == "Reverse" || slices.Contains([]string{"Sort", "SortFunc", "SortStableFunc"}, inSlices) ||
		inMaps == "Copy" || inMaps == "DeleteFunc"
}

// byAddress reports whether a method is called on the address of what stands
// before the dot, so that it may write there.
func (u *unit) byAddress(sel *ast.SelectorExpr) bool {
	s := u.info.Selections[sel]
	if s == nil || s.Kind() != types.MethodVal {
		return false
	}
	_, byPointer := s.Obj().(*types.Func).Signature().Recv().Type().(*types.Pointer)
	_, isPointer := s.Recv().Underlying().(*types.Pointer)
	return byPointer && !isPointer
}

// parts returns what a write to e changes: the variable that it is a part of,
// or the package whose variable it is, and the fields on the way there.
func (u *unit) parts(e ast.Expr) (all []types.Object) {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			if o := u.info.Uses[x]; o != nil { // nil where it is defined
				all = append(all, o)
			}
			return all
		case *ast.SelectorExpr:
			if s := u.info.Selections[x]; s != nil {
				all = append(all, s.Obj())
			}
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.SliceExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return all
		}
	}
}
