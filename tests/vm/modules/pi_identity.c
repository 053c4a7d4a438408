// SPDX-License-Identifier: GPL-2.0
/*
 * Makes a kernel say that it runs on a Raspberry Pi: three lines at the end of /proc/cpuinfo, and
 * /proc/device-tree with model, compatible and revision.
 *
 * Done in the kernel, since a file mounted over /proc/cpuinfo is not seen by a unit with a /proc of its own
 * (ProtectProc=). There is no way back but a reboot.
 */
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <asm/processor.h>

static char *model = "Raspberry Pi 4 Model B Rev 1.4";
module_param(model, charp, 0444);
static char *chip = "bcm2711";
module_param(chip, charp, 0444);
static uint revision = 0xc03114;
module_param(revision, uint, 0444);

struct shown {
	struct seq_file *file;
	bool last;
};

static int before_show(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	struct shown *shown = (void *)instance->data;
	struct cpuinfo_x86 *cpu = (void *)regs_get_kernel_argument(regs, 1);

	shown->file = (void *)regs_get_kernel_argument(regs, 0);
	shown->last = cpu->cpu_index + 1 == num_online_cpus();
	return 0;
}

static int after_show(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	struct shown *shown = (void *)instance->data;

	if (shown->last)
		seq_printf(shown->file, "Hardware\t: BCM2835\nRevision\t: %x\nModel\t\t: %s\n", revision, model);
	return 0;
}

static struct kretprobe probe = {
	.kp.symbol_name = "show_cpuinfo",
	.entry_handler = before_show,
	.handler = after_show,
	.data_size = sizeof(struct shown),
	.maxactive = 32,
};

/* A device tree's strings end with a zero byte, and its numbers have the highest byte first. */
static int show_model(struct seq_file *file, void *unused)
{
	seq_write(file, model, strlen(model) + 1);
	return 0;
}

static int show_compatible(struct seq_file *file, void *unused)
{
	seq_printf(file, "raspberrypi,%s%cbrcm,%s%c", chip, 0, chip, 0);
	return 0;
}

static int show_revision(struct seq_file *file, void *unused)
{
	__be32 number = cpu_to_be32(revision);

	seq_write(file, &number, sizeof(number));
	return 0;
}

static int __init begin(void)
{
	struct proc_dir_entry *tree = proc_mkdir("device-tree", NULL), *system;

	if (!tree)
		return -ENOMEM;
	system = proc_mkdir("system", tree);
	proc_create_single("model", 0444, tree, show_model);
	proc_create_single("compatible", 0444, tree, show_compatible);
	proc_create_single("linux,revision", 0444, system, show_revision);
	return register_kretprobe(&probe);
}

module_init(begin);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("A kernel that says it runs on a Raspberry Pi");
