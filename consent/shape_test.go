package consent_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// shape is the package as the compiler sees it, without its tests.
type shape struct {
	fset  *token.FileSet
	files []*ast.File
	pkg   *types.Package
	info  *types.Info
}

func load(t *testing.T) *shape {
	t.Helper()
	paths, err := filepath.Glob("*.go")
	require.NoError(t, err)
	s := &shape{fset: token.NewFileSet(), info: &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(s.fset, path, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		s.files = append(s.files, f)
	}
	require.NotEmpty(t, s.files)
	s.pkg = check(s.fset, s.files, s.info)
	return s
}

// check resolves the package alone: what it imports stays unknown, which costs
// errors but no answer, because a Permit can only be made of the package's own.
func check(fset *token.FileSet, files []*ast.File, info *types.Info) *types.Package {
	conf := types.Config{Error: func(error) {}}
	pkg, _ := conf.Check("consentgw/consent", fset, files, info)
	return pkg
}

// reaches reports whether a value of type t can hold, lead to or be handed a
// Permit, however deeply; exported is what code outside the package may touch.
func reaches(t, permit types.Type, seen map[types.Type]bool) bool {
	if t == nil || seen[t] {
		return false
	}
	seen[t] = true
	if types.Identical(t, permit) {
		return true
	}
	deeper := func(t types.Type) bool { return reaches(t, permit, seen) }
	switch t := t.(type) {
	case *types.Alias:
		return deeper(types.Unalias(t))
	case *types.Named:
		return deeper(t.Underlying())
	case *types.TypeParam:
		return deeper(t.Constraint())
	case *types.Pointer:
		return deeper(t.Elem())
	case *types.Slice:
		return deeper(t.Elem())
	case *types.Array:
		return deeper(t.Elem())
	case *types.Chan:
		return deeper(t.Elem())
	case *types.Map:
		return deeper(t.Key()) || deeper(t.Elem())
	case *types.Signature:
		return deeper(t.Params()) || deeper(t.Results())
	case *types.Tuple:
		for v := range t.Variables() {
			if deeper(v.Type()) {
				return true
			}
		}
	case *types.Struct:
		for f := range t.Fields() {
			if f.Exported() && deeper(f.Type()) {
				return true
			}
		}
	case *types.Interface:
		for m := range t.Methods() {
			if deeper(m.Type()) {
				return true
			}
		}
		for e := range t.EmbeddedTypes() {
			if deeper(e) {
				return true
			}
		}
	case *types.Union:
		for term := range t.Terms() {
			if deeper(term.Type()) {
				return true
			}
		}
	}
	return false
}

// doors lists every exported thing of a package that could put a Permit into
// the hands of another package.
func doors(pkg *types.Package) []string {
	permit := pkg.Scope().Lookup("Permit").Type()
	var found []string
	for _, name := range pkg.Scope().Names() {
		object := pkg.Scope().Lookup(name)
		if !object.Exported() {
			continue
		}
		if name != "Permit" && reaches(object.Type(), permit, map[types.Type]bool{}) {
			found = append(found, name)
		}
		if named, ok := object.Type().(*types.Named); ok {
			for m := range named.Methods() {
				if m.Exported() && reaches(m.Type(), permit, map[types.Type]bool{}) {
					found = append(found, name+"."+m.Name())
				}
			}
		}
	}
	return found
}

func TestOnlyCommitHandsOutAPermit(t *testing.T) {
	// Permit.For hands out no more than the permit that is asked: see its test.
	assert.Equal(t, []string{"Commit", "Permit.For"}, doors(load(t).pkg))
}

func TestAPermitHasNoExportedField(t *testing.T) {
	permit := load(t).pkg.Scope().Lookup("Permit").Type().Underlying().(*types.Struct)
	for f := range permit.Fields() {
		assert.False(t, f.Exported(), "field %s", f.Name())
		assert.False(t, f.Embedded(), "field %s", f.Name())
	}
}

func TestAGrantIsMadeInCommitAndNowhereElse(t *testing.T) {
	s := load(t)
	grant := s.pkg.Scope().Lookup("grant").Type()
	var made []string
	for _, f := range s.files {
		for _, d := range f.Decls {
			where := s.fset.Position(d.Pos()).Filename
			if fn, ok := d.(*ast.FuncDecl); ok {
				where = fn.Name.Name
			}
			ast.Inspect(d, func(n ast.Node) bool {
				if e, ok := n.(ast.Expr); ok && makes(s.info, e, grant) {
					made = append(made, where)
				}
				return true
			})
		}
	}
	assert.Equal(t, []string{"Commit"}, made)
}

// makes reports whether e is a literal, a new or a zero value of type t.
func makes(info *types.Info, e ast.Expr, t types.Type) bool {
	switch e := e.(type) {
	case *ast.CompositeLit:
		return types.Identical(info.TypeOf(e), t)
	case *ast.CallExpr:
		name, ok := e.Fun.(*ast.Ident)
		return ok && name.Name == "new" && types.Identical(info.TypeOf(e), types.NewPointer(t))
	}
	return false
}

func TestADoorIsSeenWhereverItIs(t *testing.T) {
	const law = `package consent
		type grant struct{}
		type Permit struct{ g *grant }
		func (p Permit) Valid() bool { return p.g != nil }
	`
	for _, c := range []struct {
		name, code string
		want       []string
	}{
		{"nothing but the permit", ``, nil},
		{"a function", `func Mint() Permit { return Permit{&grant{}} }`, []string{"Mint"}},
		{"a second result", `func Mint() (int, Permit) { return 0, Permit{} }`, []string{"Mint"}},
		{"a pointer to fill", `func Fill(p *Permit) { p.g = &grant{} }`, []string{"Fill"}},
		{"a callback", `func With(f func(Permit)) { f(Permit{&grant{}}) }`, []string{"With"}},
		{"a channel in a slice in a map", `func All() map[string][]chan Permit { return nil }`, []string{"All"}},
		{"a variable", `var Free = Permit{&grant{}}`, []string{"Free"}},
		{"a field", `type Bag struct { P Permit }`, []string{"Bag"}},
		{"a method of the permit", `func (p Permit) Renew() Permit { return Permit{&grant{}} }`, []string{"Permit.Renew"}},
		{"a method of another type", `type Bag struct { p Permit }; func (b *Bag) Take() Permit { return b.p }`, []string{"Bag.Take"}},
		{"an interface", `type Minter interface { Mint() Permit }`, []string{"Minter"}},
		{"an alias", `type Licence = Permit`, []string{"Licence"}},
		{"a type parameter", `func Fill[T interface{ *Permit }](t T) {}`, []string{"Fill"}},
		{"an unexported function", `func mint() Permit { return Permit{} }`, nil},
		{"an unexported field", `type Bag struct { p Permit }`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			fset := token.NewFileSet()
			f, err := parser.ParseFile(fset, "law.go", law+c.code, parser.SkipObjectResolution)
			require.NoError(t, err)
			assert.Equal(t, c.want, doors(check(fset, []*ast.File{f}, nil)))
		})
	}
}
