/** The part of h5wasm's module that is used here, with the types that its calls really have. */
export interface H5Module {
  readonly HEAPU8: Uint8Array;
  readonly H5F_ACC_RDONLY: number;
  readonly H5G_GROUP: number;
  readonly H5G_DATASET: number;
  readonly FS: VirtualFiles;
  activate_throwing_error_handler(): number;
  open(name: string, mode: number, trackOrder: boolean, low: number, high: number): bigint;
  close_file(file: bigint): number;
  get_names(file: bigint, path: string, recursive: boolean): string[];
  get_type(file: bigint, path: string): number;
  get_attribute_names(file: bigint, path: string): string[];
  get_attribute_metadata(file: bigint, path: string, name: string): H5Metadata;
  get_attribute_data(file: bigint, path: string, name: string, pointer: bigint): number;
  reclaim_vlen_memory(file: bigint, path: string, name: string, pointer: bigint): number;
  get_dataset_metadata(file: bigint, path: string): H5Metadata;
  get_dataset_data(file: bigint, path: string, count: null, offset: null, strides: null, pointer: bigint): number;
  _malloc(bytes: number): number;
  _free(pointer: number): void;
}

interface VirtualFiles {
  readonly streams: readonly (object | null | undefined)[];
  writeFile(name: string, bytes: Uint8Array, options: { canOwn: boolean }): void;
  close(stream: object): void;
  unlink(name: string): void;
}

export interface H5Metadata {
  /** Class of the type: 0 whole numbers, 1 floating point, 3 text, 5 opaque. */
  readonly type: number;
  readonly size: number;
  readonly signed: boolean;
  readonly vlen: boolean;
  /** null: an empty value. */
  readonly shape: readonly number[] | null;
  readonly total_size: number;
}
