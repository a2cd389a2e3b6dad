# npy FILE DESCR SHAPE DATA(printf escapes): writes a small array.
npy() {
    local header="{'descr': '$2', 'fortran_order': False, 'shape': ($3,), }"
    { printf '\223NUMPY\001\000'; printf "\\x$(printf %02x ${#header})\\x00"; printf '%s' "$header"; printf "$4"; } > "$1"
}
