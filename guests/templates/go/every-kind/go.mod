module backend

go {{go}}

require go.bytecodealliance.org/pkg v{{go-pkg}}
