# The files that the rows of bad_inputs.tsv name, made in the folder where they run.

bytes() { # FILE PRINTF...: writes what printf makes of the words one after another
    local file=$1
    shift
    printf "$@" > "$file"
}

# tensors FILE HEADER DATA(printf escapes)
tensors() {
    local header=$2
    while ((${#header} % 8)); do header+=' '; done
    { printf "\\x$(printf %02x $((${#header} % 256)))\\x$(printf %02x $((${#header} / 256)))\0\0\0\0\0\0"; printf '%s' "$header"; printf "$3"; } > "$1"
}

make_tables() {
    printf 'x,z,y\n1,2,a\n2,1,b\n3,2,a\n4,1,b\n' > good.csv
    printf 'x,z,y\n' > header.csv
    printf 'x,y\n1,a\n2,b,3\n' > ragged.csv
    printf 'x,y\n"1,a\n2,b\n' > quote.csv
    printf 'x,y\n1,a\n2\0,b\n' > nul.csv
    printf 'x,x,y\n1,2,a\n' > twice.csv
    printf 'x,y\n1,a\n,b\n3,a\n' > hole.csv
    printf 'x,y\n1,a\nnan,b\n3,a\n' > nan.csv
    printf 'x,y\n1,a\n1e999,b\n3,a\n' > far.csv
    printf 'x,y\n1,a\ntwo,b\n3,a\n4,a\n5,a\n6,a\n7,a\n8,a\n9,a\n10,a\n11,a\n12,a\n13,a\n14,a\n15,a\n16,a\n17,a\n18,a\n19,a\n20,a\n21,a\n22,a\n23,b\n' > word.csv
    printf 'x,y\n1,a\n2,a\n' > oneclass.csv
    printf '{"x": [1, 2], "target": 0}\n{"x": [1, 2' > cut.jsonl
    printf '{"x": [1, 2], "target": 0}\n{"x": [1, 2]}\n' > keyless.jsonl
    printf '{"x": [1, 2], "target": 0}\n{"x": [1], "target": 1}\n' > ragged.jsonl
    printf '{"x": [1, 2], "target": 0}\n{"x": [1, 2], "target": -1}\n' > minus.jsonl
    printf '{"x": [1, 2], "target": 0}\n[]\n' > list.jsonl
    printf '{"x": [1, 2], "x": [1, 2], "target": 0}\n' > twice.jsonl
    printf '{"x": [1, 1e999], "target": 0}\n' > far.jsonl
    printf 'short' > short.txt
    printf 'ab\xff\xfecd' > notutf8.txt
}

make_arrays() {
    local row='\x00\x00\x80\x3f\x00\x00\x00\x00'
    npy x.npy '<f4' '4, 2' "$row$row$row$row"
    npy y.npy '|u1' 4 '\x00\x01\x00\x01'
    npy y3.npy '|u1' 3 '\x00\x01\x00'
    npy yf.npy '<f4' '4' "$row$row"
    npy minus.npy '|i1' 4 '\x00\xff\x00\x01'
    npy none.npy '<f4' '0, 2' ''
    npy scalar.npy '<f4' '1' '\x00\x00\x80\x3f'
    npy nan.npy '<f4' '2, 2' "\x00\x00\xc0\x7f\x00\x00\x00\x00$row"
    npy short.npy '<f4' '4, 2' "$row"
    npy long.npy '<f4' '1, 2' "$row$row"
    npy huge.npy '<f4' '1000000, 1000000' "$row"
    npy overflow.npy '<f4' '4294967296, 4294967296, 2' "$row"
    npy negative.npy '<f4' '-1, 2' "$row"
    npy object.npy '|O' 4 "$row"
    npy complex.npy '<c8' 1 "$row"
    npy ranks.npy '<f4' '1, 1, 1, 1, 1, 1, 2' "$row"
    bytes version.npy '\223NUMPY\011\000\004\000{}  '
    bytes header.npy '\223NUMPY\001\000\377\377{'
    bytes nothing.npy '\223NUMPY\001\000\002\000{}'
    bytes magic.npy 'NUMPY\223 is not here'
    sed 's/False/True/' x.npy > fortran.npy
    gzip -c x.npy | head -c 60 > cut.npy.gz
    { gzip -c x.npy; printf 'garbage'; } > tail.npy.gz
    gzip -c x.npy | sed 's/\x00\x00\x00\x00$/\x7f\x00\x00\x00/' > x.npy.gz
    head -c 2000000 /dev/zero | gzip -9 > bomb.npy.gz
    bytes images.idx '\0\0\010\003\0\0\0\002\0\0\0\002\0\0\0\002abcdefgh'
    bytes labels.idx '\0\0\010\001\0\0\0\002\0\001'
    bytes three.idx '\0\0\010\001\0\0\0\003\0\001\0'
    bytes short.idx '\0\0\010\003\0\0\0\002\0\0\0\002\0\0\0\002abc'
    bytes huge.idx '\0\0\010\003\377\377\377\377\377\377\377\377\377\377\377\377'
    bytes type.idx '\0\0\007\001\0\0\0\001a'
    bytes magic.idx 'ab\010\001\0\0\0\001a'
    bytes empty.zip 'PK\005\006\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0'
    bytes cut.npz 'PK\003\004'
    mkdir cifar
    printf '%03073d' 0 > cifar/data_batch_1.bin
    printf 'abc' > cifar/test_batch.bin
    mkdir -p pngs/a pngs/b flat
    bytes pngs/a/1.png '\211PNG\r\n\032\n\0\0\0\rIHDR'
    bytes pngs/b/1.png 'not a png'
    bytes flat/1.png 'x'
    mkdir -p wide/a wide/b
    bytes wide/a/1.png '\211PNG\r\n\032\n\0\0\0\rIHDR\0\0\377\377\0\0\377\377\010\006\0\0\0\160\112\271\204'
    cp wide/a/1.png wide/b
}

make_tensors() {
    tensors good.safetensors '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}' '\0\0\0\0'
    tensors hole.safetensors '{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}' '\0\0\0\0\0\0\0\0'
    tensors overlap.safetensors '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}' '\0\0\0\0'
    tensors twice.safetensors '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}' '\0\0\0\0\0\0\0\0'
    tensors type.safetensors '{"a":{"dtype":"X32","shape":[1],"data_offsets":[0,4]}}' '\0\0\0\0'
    tensors size.safetensors '{"a":{"dtype":"F32","shape":[9],"data_offsets":[0,4]}}' '\0\0\0\0'
    tensors json.safetensors '{"a": nonsense}' ''
    tensors list.safetensors '[]' ''
    bytes length.safetensors '\377\377\377\377\377\377\377\177{}'
    bytes zero.safetensors '\0\0\0\0\0\0\0\0'
    bytes cut.safetensors '\020\0\0'
}

make_configs() {
    printf '{"extends": "b.json"}' > a.json
    printf '{"extends": "a.json"}' > b.json
    printf '{"extends": "self.json"}' > self.json
    printf '{"extends": "absent.json"}' > orphan.json
    printf '{"extends": "list.json"}' > heir.json
    printf '[]' > list.json
    printf '{\n  "model": "mlp",\n  "seed": 1,\n  "seed": 2\n}' > twice.json
    printf '{"seed": 1} 2' > trailing.json
    printf '{"seed": NaN}' > nan.json
    printf '{"seed": 1e999}' > far.json
    printf '{"seed": 01}' > octal.json
    printf '{"seed": 1,}' > comma.json
    printf '{"a\0b": 1}' > nul.json
    printf '{"model": "\\ud800"}' > surrogate.json
    printf '{"model": "\\u0000"}' > escape.json
    printf '{"model": "\xff"}' > notutf8.json
    printf '{"model": "a\tb"}' > control.json
    printf '{"model": "mlp"' > open.json
    printf '/* no end {}' > comment.json
    printf '// nothing else\n' > void.json
    : > empty.json
    { printf '{"analyze": '; printf '[%.0s' {1..70}; printf ']%.0s' {1..70}; printf '}'; } > deep.json
    { printf '{"analyze": "'; printf '%05000000d' 0; printf '"}'; } > large.json
    { printf '{"analyze": "'; printf '%09000000d' 0; printf '"}'; } | gzip > large.json.gz
    { printf '{"analyze": '; printf '[%.0s' {1..100000}; } > abyss.json
    for i in {1..20}; do printf '{"extends": "chain%d.json"}' $((i + 1)) > "chain$i.json"; done
    printf '{}' > chain21.json
}

make_inputs() {
    mkdir folder folder.npy
    mkfifo fifo fifo.csv
    : > empty
    ln -s nowhere dangling
    ln -s loop loop
    make_tables
    make_arrays
    make_tensors
    make_configs
}
